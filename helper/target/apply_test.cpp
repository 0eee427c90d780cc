// Apply gives the same tree however often it was interrupted.
#include "common/error.h"
#include "helper/target/apply_scene.h"

#include <mutex>

namespace failback {
namespace {

namespace fs = std::filesystem;
using test::Tree;

class ApplyTest : public test::ApplyScene {};

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
        EXPECT_EQ(without_record(copy.tree()), expected()) << "after " << done << " steps";
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
    EXPECT_EQ(without_record(files.tree()), tree);
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
