// Apply gives the same tree however often it was interrupted.
#include "helper/target/apply.h"

#include "common/error.h"
#include "common/payload_compression.h"
#include "common/test_directory.h"
#include "helper/target/redo_file.h"
#include "helper/target/staging.h"

#include <functional>
#include <mutex>
#include <optional>

namespace failback {
namespace {

namespace fs = std::filesystem;
using Tree = std::map<std::string, std::string>;

class ApplyTest : public testing::Test {
protected:
    ApplyTest() { target.emplace(files.path(), TargetDirectory::Access::read_write); }

    FileAction &add(std::string path, FileActionKind kind)
    {
        FileAction action;
        action.path = std::move(path);
        action.kind = kind;
        plan.actions.push_back(std::move(action));
        return plan.actions.back();
    }

    // A target before its failback.
    void populate()
    {
        for (const char *name : {"PG_VERSION", "base/6/1", "base/6/2", "postmaster.pid", "pg_wal/000000010000000000000005"})
            files.write(name, name);
        files.write("global/pg_control", "old control");
        files.write("base/5/1", std::string(30, 'o'));
        files.write("base/5/2", std::string(30, 'o'));
        files.write("base/5/3", std::string(30, 'o'));
        files.write("base/5/5", std::string(30, 'o'));
        fs::create_directory(files / "pg_tblspc");
        fs::create_directory_symlink(elsewhere.path(), files / "pg_tblspc/16384");
        elsewhere.write("PG_15_1/5/1", "old");
    }

    // Every kind of action, as decide() orders them: ascending by path.
    void make_plan()
    {
        patch = index("base/5/1", FileActionKind::patch, 30);
        longer = index("base/5/2", FileActionKind::replace, 40);
        whole = index("base/5/3", FileActionKind::replace, 10);
        plan.actions[whole].staging = StagingKind::whole_file;
        created = index("base/5/4", FileActionKind::replace, 0);
        vanished = index("base/5/5", FileActionKind::remove, 30);
        add("base/6", FileActionKind::remove).file_kind = FileKind::directory;
        add("base/6/1", FileActionKind::remove);
        add("base/6/2", FileActionKind::remove);
        add("base/7", FileActionKind::create_directory);
        in_new_directory = index("base/7/1", FileActionKind::replace, 5);
        add("pg_tblspc/16384", FileActionKind::remove).file_kind = FileKind::symlink;
        add("pg_tblspc/16384/PG_15_1", FileActionKind::remove).file_kind = FileKind::directory;
        add("pg_tblspc/16384/PG_15_1/5", FileActionKind::remove).file_kind = FileKind::directory;
        add("pg_tblspc/16384/PG_15_1/5/1", FileActionKind::remove);
        add("pg_tblspc/16390", FileActionKind::create_symlink).link_target = elsewhere / "new";
        add("pg_tblspc/16390/PG_15_1", FileActionKind::create_directory);
        in_tablespace = index("pg_tblspc/16390/PG_15_1/1", FileActionKind::replace, 3);
        segment = index("pg_wal/000000020000000000000004", FileActionKind::replace, 20);
        plan.actions[segment].staging = StagingKind::whole_file;
        add("pg_wal/000000010000000000000005", FileActionKind::remove);
        add("postmaster.pid", FileActionKind::remove);
        plan.local_files = {{"backup_label", "label"}, {"standby.signal", ""}};
        plan.control_file = {'n', 'e', 'w'};
    }

    uint32_t index(std::string path, FileActionKind kind, int64_t size)
    {
        add(std::move(path), kind).size = size;
        return static_cast<uint32_t>(plan.actions.size() - 1);
    }

    void stage()
    {
        create_staging(*target, plan.actions);
        files.write(staged_file_path(plan.actions[whole], whole), "whole file");
        files.write(staged_file_path(plan.actions[segment], segment), "twenty bytes of WAL.");
        RedoWriter first(*target, "pg_failback.staging/blocks.0"), second(*target, "pg_failback.staging/blocks.1");
        append(first, {{patch, 5, 3}, {longer, 0, 20}}, "PPP" + std::string(20, 'L'), CompressionId::none);
        append(second, {{longer, 20, 20}, {in_new_directory, 0, 5}, {vanished, 0, 4}}, std::string(20, 'M') + "seven" + "gone", CompressionId::zstd);
        append(second, {{patch, 28, 2}, {in_tablespace, 0, 3}}, "QQspc", CompressionId::none);
        plan.redo_files = {{first.path(), first.length()}, {second.path(), second.length()}};
        commit(*target, plan, "again", false);
    }

    static void append(RedoWriter &writer, std::vector<RedoPiece> pieces, const std::string &content, CompressionId id)
    {
        std::span<const unsigned char> raw{reinterpret_cast<const unsigned char *>(content.data()), content.size()};
        const CompressionAlgorithm &algorithm = find_compression(id);
        std::vector<unsigned char> packed(algorithm.bound(raw.size()));
        packed.resize(algorithm.compress(raw, packed, algorithm.default_level));
        writer.append({pieces, static_cast<int16_t>(id), static_cast<uint32_t>(raw.size()), packed});
    }

    Tree expected() const
    {
        return {
            {"PG_VERSION", "file PG_VERSION"},
            {"backup_label", "file label"},
            {"base", "directory"},
            {"base/5", "directory"},
            {"base/5/1", "file oooooPPP" + std::string(20, 'o') + "QQ"},
            {"base/5/2", "file " + std::string(20, 'L') + std::string(20, 'M')},
            {"base/5/3", "file whole file"},
            {"base/5/4", "file "},
            {"base/7", "directory"},
            {"base/7/1", "file seven"},
            {"global", "directory"},
            {"global/pg_control", "file new"},
            {"pg_tblspc", "directory"},
            {"pg_tblspc/16390", "link " + elsewhere / "new"},
            {"pg_wal", "directory"},
            {"pg_wal/000000020000000000000004", "file twenty bytes of WAL."},
            {"standby.signal", "file "},
        };
    }

    void run_apply(SyncKind sync = SyncKind::none, std::function<void(int64_t)> progress = {})
    {
        ApplyOptions options;
        options.sync = sync;
        options.progress = std::move(progress);
        apply(*target, read_staged_plan(*target), options);
    }

    void run_finish() { finish(*target, read_staged_plan(*target), SyncKind::none); }

    void check_done()
    {
        EXPECT_EQ(files.tree(), expected());
        EXPECT_EQ(elsewhere.read("new/PG_15_1/1"), "spc");
        EXPECT_FALSE(elsewhere.exists("PG_15_1"));
        EXPECT_EQ(examine_staging(*target), StagingState::none);
    }

    void prepare()
    {
        populate();
        make_plan();
        stage();
    }

    test::TestDirectory files, elsewhere;
    std::optional<TargetDirectory> target;
    StagedPlan plan;
    uint32_t patch = 0, longer = 0, whole = 0, created = 0, vanished = 0, in_new_directory = 0, in_tablespace = 0, segment = 0;
};

TEST_F(ApplyTest, CarriesOutEveryKindOfAction)
{
    prepare();
    run_apply();
    EXPECT_EQ(examine_staging(*target), StagingState::committed) << "not startable before finish";
    run_finish();
    check_done();
}

TEST_F(ApplyTest, WithEveryKindOfSync)
{
    for (SyncKind sync : {SyncKind::fsync, SyncKind::syncfs}) {
        test::TestDirectory empty;
        target.reset();
        for (const auto &directory : {&files, &elsewhere})
            for (const auto &entry : fs::directory_iterator(directory->path()))
                fs::remove_all(entry);
        target.emplace(files.path(), TargetDirectory::Access::read_write);
        plan = {};
        prepare();
        run_apply(sync);
        finish(*target, read_staged_plan(*target), sync);
        check_done();
    }
}

TEST_F(ApplyTest, TwiceIsTheSameAsOnce)
{
    prepare();
    run_apply();
    Tree once = files.tree();
    run_apply();
    EXPECT_EQ(files.tree(), once);
    run_finish();
    check_done();
}

TEST_F(ApplyTest, StoppedWhileRecordsAreWritten)
{
    prepare();
    // Each record reports its progress: stop at the first, the second, ... one.
    for (int records = 0; records < 3; records++) {
        int seen = 0;
        std::mutex mutex;
        EXPECT_THROW(run_apply(SyncKind::none,
                               [&](int64_t) {
                                   std::lock_guard lock(mutex);
                                   if (seen++ == records)
                                       throw Error(ErrorCode::io_error, "stopped");
                               }),
                     Error);
        EXPECT_EQ(examine_staging(*target), StagingState::committed);
    }
    run_apply();
    run_finish();
    check_done();
}

// A directory in the way of one write stops apply at that very action, whichever it is.
TEST_F(ApplyTest, StoppedAtAnyFileAndBegunAnew)
{
    prepare();
    for (const char *path : {"base/5/2", "base/5/4", "base/7/1"}) {
        std::string name = files / path;
        bool was_there = fs::exists(name);
        if (was_there)
            fs::rename(name, name + ".aside");
        fs::create_directories(name + "/in_the_way");
        EXPECT_THROW(run_apply(), Error) << path;
        fs::remove_all(name);
        if (was_there)
            fs::rename(name + ".aside", name);
        EXPECT_EQ(examine_staging(*target), StagingState::committed);
    }
    run_apply();
    run_finish();
    check_done();
}

// The tree as a stop would have left it, after any number of the removals, creations and renames.
TEST_F(ApplyTest, EveryStepMayHaveBeenDoneBefore)
{
    prepare();
    const Tree committed = files.tree();
    std::vector<std::function<void()>> steps = {
        [&] { fs::remove(files / "postmaster.pid"); },
        [&] { fs::remove(files / "base/6/2"); },
        [&] { fs::remove_all(files / "base/6"); },
        [&] { fs::remove_all(elsewhere / "PG_15_1"); },
        [&] { fs::remove(files / "pg_tblspc/16384"); },
        [&] { fs::create_directory(files / "base/7"); },
        [&] { fs::create_directory(elsewhere / "new"); },
        [&] { fs::create_directory_symlink(elsewhere / "new", files / "pg_tblspc/16390"); },
        [&] { fs::create_directory(elsewhere / "new/PG_15_1"); },
        [&] { fs::rename(files / staged_file_path(plan.actions[whole], whole), files / "base/5/3"); },
        [&] { fs::rename(files / staged_file_path(plan.actions[segment], segment), files / plan.actions[segment].path); },
        [&] { files.write("base/5/1", "oooooPPP" + std::string(22, 'o')); },
        [&] { files.write("base/5/2", std::string(20, 'L') + std::string(10, 'o')); }, // the target's size still
        [&] { files.write("base/7/1", "sev"); },
        [&] { files.write("base/5/4", ""); },
    };
    for (size_t done = 0; done <= steps.size(); done++) {
        if (done > 0)
            steps[done - 1]();
        // On a copy, which is what is carried on with.
        test::TestDirectory copy;
        fs::copy(files.path(), copy.path(), fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        std::map<std::string, std::string> result;
        test::TestDirectory space;
        fs::copy(elsewhere.path(), space.path(), fs::copy_options::recursive);
        {
            TargetDirectory again(copy.path(), TargetDirectory::Access::read_write);
            StagedPlan staged = read_staged_plan(again);
            ApplyOptions options;
            options.sync = SyncKind::none;
            apply(again, staged, options);
            finish(again, staged, SyncKind::none);
        }
        EXPECT_EQ(copy.tree(), expected()) << "after " << done << " steps";
        EXPECT_EQ(elsewhere.read("new/PG_15_1/1"), "spc") << "after " << done << " steps";
        // Tablespaces lie outside of the copy: put back what was there.
        for (const auto &entry : fs::directory_iterator(elsewhere.path()))
            fs::remove_all(entry);
        fs::copy(space.path(), elsewhere.path(), fs::copy_options::recursive);
    }
    EXPECT_NE(files.tree(), committed);
}

TEST_F(ApplyTest, FinishMayBeStoppedAnywhere)
{
    prepare();
    run_apply();
    // What a stop inside finish leaves: local files half done, pg_control still aside.
    files.write(temporary_name("backup_label"), "la");
    EXPECT_EQ(examine_staging(*target), StagingState::committed);
    run_apply();
    run_finish();
    // pg_control came back, staging was not removed any more.
    fs::create_directory(files / staging_name);
    files.write("pg_wal/pg_failback.staging/x", "x");
    EXPECT_EQ(examine_staging(*target), StagingState::abandoned);
    remove_staging(*target);
    check_done();
}

TEST_F(ApplyTest, ADirectoryWithSomethingOfAnothersStays)
{
    // A link, a socket or a log directory is in no manifest: after the commit it must not stop the work.
    prepare();
    fs::create_symlink("/nowhere", files / "base/6/stray");
    run_apply();
    run_finish();
    Tree tree = expected();
    tree["base/6"] = "directory";
    tree["base/6/stray"] = "link /nowhere";
    EXPECT_EQ(files.tree(), tree);
}

TEST_F(ApplyTest, MissingOrDamagedStagingIsFound)
{
    prepare();
    std::string redo = files.read("pg_failback.staging/blocks.1");
    std::string bad = redo;
    bad[bad.size() / 2] ^= 1;
    files.write("pg_failback.staging/blocks.1", bad);
    EXPECT_THROW(run_apply(), Error);
    files.write("pg_failback.staging/blocks.1", redo);
    run_apply();

    fs::remove(files / plan.actions[segment].path); // neither staged nor in place
    EXPECT_THROW(run_apply(), Error);
    fs::remove(files / staged_plan_path);
    EXPECT_THROW(read_staged_plan(*target), Error);
}

TEST_F(ApplyTest, CheckFindsDamageAndChangesNothing)
{
    prepare();
    StagedPlan staged = read_staged_plan(*target);
    check_staged(*target, staged);
    std::string bad = files.read("pg_failback.staging/blocks.1");
    bad[bad.size() / 2] ^= 1;
    files.write("pg_failback.staging/blocks.1", bad);
    Tree damaged = files.tree();
    EXPECT_THROW(check_staged(*target, staged), Error);
    EXPECT_EQ(files.tree(), damaged);
}

TEST_F(ApplyTest, ARecordOfAFileThatThePlanDoesNotHaveIsRefused)
{
    populate();
    create_staging(*target, {});
    RedoWriter redo(*target, "pg_failback.staging/blocks.0");
    append(redo, {{99, 0, 3}}, "abc", CompressionId::none);
    plan.redo_files = {{redo.path(), redo.length()}};
    commit(*target, plan, "again", false);
    EXPECT_THROW(run_apply(), Error);
}

} // namespace
} // namespace failback
