#include "common/error.h"
#include "helper/plan/decide_fixture.h"

namespace failback {
namespace {

TEST_F(DecideTest, NothingToDo)
{
    run({file("base/5/16384", 3 * block_bytes), file("pg_xact/0000", block_bytes, "a")}, {file("base/5/16384", 3 * block_bytes), file("pg_xact/0000", block_bytes, "a")});
    EXPECT_TRUE(actions.empty());
    EXPECT_EQ(plan.files_kept, 2);
    EXPECT_EQ(plan.bytes_to_fetch, 0);
    EXPECT_EQ(plan.source_bytes, 4 * block_bytes);
}

TEST_F(DecideTest, ChangedBlocksOfARelationArePatched)
{
    blocks.add_block({1663, 5, 16384}, 1);
    run({file("base/5/16384", 3 * block_bytes)}, {file("base/5/16384", 3 * block_bytes)});
    ASSERT_EQ(what("base/5/16384"), "patch");
    const FileAction &action = actions["base/5/16384"];
    EXPECT_EQ(action.fetch, (std::vector<Extent>{{block_bytes, block_bytes}}));
    EXPECT_EQ(action.size, 3 * block_bytes);
    EXPECT_TRUE(action.relation);
    EXPECT_EQ(action.staging, StagingKind::redo);
    EXPECT_EQ(plan.blocks_to_fetch, 1);
    EXPECT_EQ(plan.bytes_to_fetch, block_bytes);
}

TEST_F(DecideTest, ARelationOfAnotherSizeIsCutOrExtended)
{
    run({file("base/5/1", 2 * block_bytes), file("base/5/2", 5 * block_bytes)}, {file("base/5/1", 4 * block_bytes), file("base/5/2", 4 * block_bytes)});
    EXPECT_EQ(what("base/5/1"), "patch");
    EXPECT_TRUE(actions["base/5/1"].fetch.empty());
    EXPECT_EQ(actions["base/5/1"].size, 2 * block_bytes);
    EXPECT_EQ(actions["base/5/2"].fetch, (std::vector<Extent>{{4 * block_bytes, block_bytes}}));
}

TEST_F(DecideTest, ARelationThatTheTargetCreatedIsReplacedWhole)
{
    blocks.add_created({1663, 5, 16384});
    blocks.add_created_database(1663, 6);
    run({file("base/5/16384", 3 * block_bytes), file("base/6/1249", block_bytes)}, {file("base/5/16384", 3 * block_bytes), file("base/6/1249", block_bytes)});
    for (const char *path : {"base/5/16384", "base/6/1249"})
        EXPECT_EQ(what(path), "replace");
    EXPECT_EQ(actions["base/5/16384"].fetch, (std::vector<Extent>{{0, 3 * block_bytes}}));
}

TEST_F(DecideTest, ChecksumsOfRelationsAreNotAskedFor)
{
    // Hint bits and unlogged fill differ on the two sides: WAL is the judge.
    run({file("base/5/16384", block_bytes, "a")}, {file("base/5/16384", block_bytes, "b")});
    EXPECT_TRUE(actions.empty());
}

TEST_F(DecideTest, ForksAndOtherFilesGoByContent)
{
    run({file("base/5/16384_vm", block_bytes, "a"), file("pg_xact/0000", block_bytes, "a"), file("global/pg_filenode.map", 512, "a"), file("pg_multixact/members/0000", 7, "a")},
        {file("base/5/16384_vm", block_bytes, "b"), file("pg_xact/0000", block_bytes, "b"), file("global/pg_filenode.map", 512, "a"), file("pg_multixact/members/0000", 8, "a")});
    EXPECT_EQ(what("base/5/16384_vm"), "replace");
    EXPECT_TRUE(actions["base/5/16384_vm"].relation);
    EXPECT_EQ(what("pg_xact/0000"), "replace");
    EXPECT_FALSE(actions["pg_xact/0000"].relation);
    EXPECT_EQ(what("global/pg_filenode.map"), "");
    EXPECT_EQ(what("pg_multixact/members/0000"), "replace");
}

TEST_F(DecideTest, WithoutAChecksumEqualSizesDoNotCountAsEqual)
{
    run({file("pg_xact/0000", block_bytes)}, {file("pg_xact/0000", block_bytes)});
    EXPECT_EQ(what("pg_xact/0000"), "replace");
}

TEST_F(DecideTest, FilesOfOneSide)
{
    run({directory("base/7"), file("base/7/PG_VERSION", 3, "15"), file("base/5/16390", 2 * block_bytes), file("base/5/16391", 0)},
        {directory("base/6"), file("base/6/16384", block_bytes), file("base/5/16384", block_bytes)});
    EXPECT_EQ(what("base/7"), "directory");
    EXPECT_EQ(what("base/7/PG_VERSION"), "replace");
    EXPECT_EQ(what("base/5/16390"), "replace");
    EXPECT_EQ(what("base/5/16391"), "replace");
    EXPECT_TRUE(actions["base/5/16391"].fetch.empty());
    for (const char *path : {"base/6", "base/6/16384", "base/5/16384"})
        EXPECT_EQ(what(path), "remove") << path;
    EXPECT_EQ(actions["base/6"].file_kind, FileKind::directory);
}

TEST_F(DecideTest, WhatIsNeverTakenFromTheSource)
{
    // Whatever a source sends.
    run({file("global/pg_control", block_bytes), file("pg_wal/000000010000000000000001", 16 * megabyte), file("postmaster.pid", 1), file("backup_label", 1),
         file("pg_replslot/slot/state", 1), file("base/5/t3_16384", block_bytes), file("pg_failback.staging/plan", 1), file("server.key", 1),
         file("pg_wal/archive_status/x.done", 0), file("base/pgsql_tmp/pgsql_tmp1.0", 1), file("pg_internal.init", 1)},
        {});
    EXPECT_TRUE(actions.empty()) << actions.begin()->first;
}

TEST_F(DecideTest, WhatTheTargetMustNotBringAlongGoes)
{
    const char *gone[] = {"postmaster.pid", "backup_label", "backup_label.old", "tablespace_map", "pg_replslot/slot/state", "base/5/t3_16384",
                          "base/pgsql_tmp/pgsql_tmp1.0", "global/pg_internal.init", "pg_stat_tmp/global.stat"};
    std::vector<FileEntry> target;
    for (const char *path : gone)
        target.push_back(file(path, 1));
    target.push_back(directory("pg_replslot/slot"));
    run({}, target);
    for (const char *path : gone)
        EXPECT_EQ(what(path), "remove") << path;
    EXPECT_EQ(what("pg_replslot/slot"), "remove");
}

TEST_F(DecideTest, WhatTheTargetKeeps)
{
    std::vector<FileEntry> target = {file("global/pg_control", block_bytes), file("server.key", 1), file("postmaster.opts", 1),
                                     file("pg_wal/000000010000000000000001", 1), file("pg_wal/archive_status/000000010000000000000001.done", 0)};
    for (const char *path : {"base", "global", "pg_wal", "pg_wal/archive_status", "pg_replslot", "pg_notify", "pg_tblspc", "pg_failback.staging"})
        target.push_back(directory(path));
    run({}, target);
    EXPECT_TRUE(actions.empty()) << actions.begin()->first;
}

TEST_F(DecideTest, ForeignFilesStayUnlessToldOtherwise)
{
    std::vector<FileEntry> target = {directory("scripts"), file("scripts/archive.sh", 1), file("notes.txt", 1), file("base/stray", 1)};
    run({}, target);
    EXPECT_EQ(what("scripts/archive.sh"), "");
    EXPECT_EQ(what("notes.txt"), "");
    EXPECT_EQ(what("base/stray"), "remove"); // PostgreSQL's own directory
    foreign = ForeignFiles::as_source;
    run({}, target);
    for (const char *path : {"scripts", "scripts/archive.sh", "notes.txt"})
        EXPECT_EQ(what(path), "remove") << path;
}

TEST_F(DecideTest, TablespacesKeepTheirPlace)
{
    run({link("pg_tblspc/16385", "/source/space")}, {link("pg_tblspc/16385", "/target/space")});
    EXPECT_TRUE(actions.empty());
    ASSERT_EQ(plan.notes.size(), 1u);
    EXPECT_EQ(plan.notes[0], "tablespace \"pg_tblspc/16385\" stays at \"/target/space\" (on the source it is at \"/source/space\")");
    // In place here, a link there, and the other way round.
    run({link("pg_tblspc/16385", "/source/space")}, {directory("pg_tblspc/16385")});
    EXPECT_TRUE(actions.empty());
    ASSERT_EQ(plan.notes.size(), 1u);
    EXPECT_EQ(plan.notes[0], "tablespace \"pg_tblspc/16385\" stays in the data directory (on the source it is at \"/source/space\")");
    run({directory("pg_tblspc/16385")}, {link("pg_tblspc/16385", "/target/space")});
    ASSERT_EQ(plan.notes.size(), 1u);
    EXPECT_EQ(plan.notes[0], "tablespace \"pg_tblspc/16385\" stays at \"/target/space\" (on the source it is in the data directory)");
    run({link("pg_tblspc/16385", "/same")}, {link("pg_tblspc/16385", "/same")});
    EXPECT_TRUE(plan.notes.empty());
}

TEST_F(DecideTest, ANewTablespaceIsMadeAndFilledThroughTheRedoFile)
{
    // There is no staging directory on its filesystem to rename from.
    run({link("pg_tblspc/16385", "/space"), directory("pg_tblspc/16385/PG_15_1"), file("pg_tblspc/16385/PG_15_1/5/16390", 2 * megabyte)}, {});
    EXPECT_EQ(what("pg_tblspc/16385"), "symlink");
    EXPECT_EQ(actions["pg_tblspc/16385"].link_target, "/space");
    EXPECT_EQ(actions["pg_tblspc/16385/PG_15_1/5/16390"].staging, StagingKind::redo);
}

TEST_F(DecideTest, ADroppedTablespaceGoesWithItsLink)
{
    run({}, {link("pg_tblspc/16385", "/space"), directory("pg_tblspc/16385/PG_15_1"), file("pg_tblspc/16385/PG_15_1/5/16390", block_bytes)});
    EXPECT_EQ(what("pg_tblspc/16385"), "remove");
    EXPECT_EQ(actions["pg_tblspc/16385"].file_kind, FileKind::symlink);
    EXPECT_EQ(what("pg_tblspc/16385/PG_15_1/5/16390"), "remove");
}

TEST_F(DecideTest, AFileHereAndADirectoryThereIsRefused)
{
    EXPECT_THROW(run({file("base/5", 1)}, {directory("base/5")}), Error);
    EXPECT_THROW(run({directory("base/5")}, {file("base/5", 1)}), Error);
}

TEST_F(DecideTest, LargeFilesThatMostlyChangeAreBuiltBeside)
{
    for (uint32_t each = 0; each < 64; each++)
        blocks.add_block({1663, 5, 1}, each);
    blocks.add_block({1663, 5, 2}, 0);
    run({file("base/5/1", megabyte), file("base/5/2", megabyte), file("base/5/3", megabyte), file("base/5/4", megabyte - block_bytes)},
        {file("base/5/1", megabyte), file("base/5/2", megabyte)});
    EXPECT_EQ(actions["base/5/1"].staging, StagingKind::whole_file) << "half of it";
    EXPECT_EQ(actions["base/5/2"].staging, StagingKind::redo) << "one block_bytes of it";
    EXPECT_EQ(actions["base/5/3"].staging, StagingKind::whole_file) << "a new one";
    EXPECT_EQ(actions["base/5/4"].staging, StagingKind::redo) << "a small one";
}

TEST_F(DecideTest, BytesAndBlocksAreCounted)
{
    run({file("base/5/1", 3 * block_bytes), file("pg_xact/0000", 100)}, {});
    EXPECT_EQ(plan.bytes_to_fetch, 3 * block_bytes + 100);
    EXPECT_EQ(plan.blocks_to_fetch, 3);
    EXPECT_EQ(plan.source_bytes, 3 * block_bytes + 100);
}

} // namespace
} // namespace failback
