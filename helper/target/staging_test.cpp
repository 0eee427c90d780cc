#include "helper/target/staging.h"

#include "common/path_rules.h"

#include "common/error.h"
#include "common/test_directory.h"
#include "helper/target/check.h"

#include <optional>
namespace failback {
namespace {

namespace fs = std::filesystem;

class StagingTest : public testing::Test {
protected:
    StagingTest()
    {
        for (const char *name : {"global/pg_control", "pg_wal/000000010000000000000001", "base/5/1"})
            files.write(name, name);
        for (const char *name : {"pg_tblspc", "space"})
            fs::create_directory(files / name);
        fs::create_directory_symlink(files / "space", files / "pg_tblspc/16385");
        untouched = files.tree();
        target.emplace(files.path(), TargetDirectory::Access::read_write);
    }

    static FileAction whole_file(std::string path)
    {
        FileAction action;
        action.path = std::move(path);
        action.kind = FileActionKind::replace;
        action.staging = StagingKind::whole_file;
        return action;
    }

    test::TestDirectory files;
    std::map<std::string, std::string> untouched;
    std::optional<TargetDirectory> target;
};

TEST_F(StagingTest, NamesOnTheFilesystemOfEachFile)
{
    EXPECT_EQ(staging_directory("base/5/1"), "pg_failback.staging");
    EXPECT_EQ(staging_directory("pg_xact/0000"), "pg_failback.staging");
    EXPECT_EQ(staging_directory("pg_wal/"), "pg_wal/pg_failback.staging");
    EXPECT_EQ(staging_directory("pg_wal/x"), "pg_wal/pg_failback.staging");
    EXPECT_EQ(staging_directory("pg_tblspc/16385/PG_15_1/5/1"), "pg_tblspc/16385/pg_failback.staging");
    EXPECT_EQ(staging_directory("pg_tblspc/16385"), "pg_failback.staging") << "the link itself";
    EXPECT_EQ(staged_file_path(whole_file("base/5/1"), 7), "pg_failback.staging/f7");
    EXPECT_EQ(staged_file_path(whole_file("pg_wal/000000010000000000000001"), 7), "pg_wal/pg_failback.staging/000000010000000000000001");
}

TEST_F(StagingTest, NothingAtFirst)
{
    EXPECT_EQ(examine_staging(*target), StagingState::none);
    remove_staging(*target); // does no harm
    EXPECT_EQ(files.tree(), untouched);
}

TEST_F(StagingTest, MadeWhereItIsNeeded)
{
    FileAction in_place = whole_file("pg_tblspc/16385/PG_15_1/5/1");
    in_place.staging = StagingKind::redo;
    create_staging(*target, {whole_file("base/5/1"), in_place});
    EXPECT_TRUE(files.exists("pg_failback.staging"));
    EXPECT_TRUE(files.exists("pg_wal/pg_failback.staging"));
    EXPECT_FALSE(files.exists("space/pg_failback.staging"));
    create_staging(*target, {whole_file("pg_tblspc/16385/PG_15_1/5/1")});
    EXPECT_TRUE(files.exists("space/pg_failback.staging"));
}

TEST_F(StagingTest, AbandonedBeforeTheCommit)
{
    create_staging(*target, {whole_file("pg_tblspc/16385/PG_15_1/5/1")});
    for (const char *name : {"pg_failback.staging/blocks.0", "pg_failback.staging/f3", "pg_failback.staging/plan", "pg_wal/pg_failback.staging/x", "space/pg_failback.staging/f4"})
        files.write(name, "half");
    EXPECT_EQ(examine_staging(*target), StagingState::abandoned);
    remove_staging(*target);
    EXPECT_EQ(files.tree(), untouched);
    EXPECT_EQ(examine_staging(*target), StagingState::none);
}

TEST_F(StagingTest, DirectoriesInItGoToo)
{
    // As "wal-g wal-fetch" leaves them beside what it restores.
    auto leave = [&] {
        files.write("pg_wal/pg_failback.staging/.wal-g/prefetch/running/000000010000000000000002", "half");
        fs::create_directories(files / "pg_wal/pg_failback.staging/.wal-g/empty");
        fs::create_directory_symlink(files / "base", files / "pg_wal/pg_failback.staging/.wal-g/link");
        fs::create_directory_symlink(files / "base", files / "pg_wal/pg_failback.staging/link");
    };
    leave();
    remove_staging(*target);
    EXPECT_EQ(files.tree(), untouched) << "and nothing that a link leads to";
    EXPECT_EQ(examine_staging(*target), StagingState::none);

    leave();
    files.write(applying_path, "mark");
    remove_staging_but_mark(*target);
    EXPECT_FALSE(files.exists("pg_wal/pg_failback.staging/.wal-g"));
    EXPECT_TRUE(files.exists(applying_path));
}

TEST_F(StagingTest, AStagingDirectoryThatIsALinkGoesAlone)
{
    fs::create_directory_symlink(files / "base", files / "pg_failback.staging");
    remove_staging(*target);
    EXPECT_EQ(files.tree(), untouched);
}

TEST_F(StagingTest, AnyPartThatIsLeftCountsAsAbandoned)
{
    for (const char *name : {"pg_failback.staging/x", "pg_wal/pg_failback.staging/x", "space/pg_failback.staging/x", note_path}) {
        files.write(name, "left");
        EXPECT_EQ(examine_staging(*target), StagingState::abandoned) << name;
        remove_staging(*target);
        EXPECT_EQ(files.tree(), untouched) << name;
    }
}

TEST_F(StagingTest, Committed)
{
    create_staging(*target, {});
    StagedPlan plan;
    plan.local_files.push_back({"backup_label", "label"});
    commit(*target, plan, "pg_failback -D there", true);
    EXPECT_EQ(examine_staging(*target), StagingState::committed);
    EXPECT_FALSE(files.exists("global/pg_control")) << "no server starts on it";
    EXPECT_EQ(files.read(moved_control_path), "global/pg_control");
    EXPECT_NE(files.read(note_path).find("\n    pg_failback -D there\n"), std::string::npos) << files.read(note_path);
    EXPECT_EQ(read_staged_plan(*target).local_files.at(0).content, "label");
    EXPECT_EQ(files.read("base/5/1"), "base/5/1");
}

// What no later run could read must not be committed to.
TEST_F(StagingTest, APlanThatCannotBeReadBackIsRefusedBeforeTheCommit)
{
    create_staging(*target, {});
    StagedPlan plan;
    FileAction action;
    action.kind = FileActionKind::remove;
    action.path = "base/5/a\nb";
    plan.actions.push_back(action);
    EXPECT_THROW(commit(*target, plan, "pg_failback", true), Error);
    EXPECT_EQ(examine_staging(*target), StagingState::abandoned);
    EXPECT_FALSE(files.exists(note_path)) << "nothing is said to be interrupted";
    remove_staging(*target);
    EXPECT_EQ(files.tree(), untouched);
}

TEST_F(StagingTest, InterruptedBeforeTheRenameItIsStillAbandoned)
{
    create_staging(*target, {});
    commit(*target, {}, "pg_failback", false);
    fs::rename(files / moved_control_path, files / "global/pg_control");
    EXPECT_EQ(examine_staging(*target), StagingState::abandoned);
    files.write(temporary_name(note_path), "half of the note");
    remove_staging(*target);
    EXPECT_EQ(files.tree(), untouched);
}

TEST_F(StagingTest, DoneButNotCleanedUp)
{
    // finish() was stopped after pg_control had come back: nothing but removing is left to do.
    create_staging(*target, {});
    commit(*target, {}, "pg_failback", false);
    files.write("global/pg_control", "new");
    EXPECT_EQ(examine_staging(*target), StagingState::abandoned);
    remove_staging(*target);
    EXPECT_EQ(files.read("global/pg_control"), "new");
    EXPECT_EQ(examine_staging(*target), StagingState::none);
}

TEST_F(StagingTest, NoControlFileAtAllIsAnError)
{
    fs::remove(files / "global/pg_control");
    EXPECT_THROW(examine_staging(*target), Error);
    create_staging(*target, {});
    EXPECT_THROW(examine_staging(*target), Error);
}

TEST_F(StagingTest, ADryRunLeavesNoTrace)
{
    target.reset();
    TargetDirectory read_only(files.path(), TargetDirectory::Access::read_only);
    EXPECT_EQ(examine_staging(read_only), StagingState::none);
    EXPECT_THROW(create_staging(read_only, {}), Error);
    EXPECT_THROW(commit(read_only, {}, "", false), Error);
    EXPECT_EQ(files.tree(), untouched);
}

} // namespace
} // namespace failback
