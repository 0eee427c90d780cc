#include "helper/plan/decide.h"

#include "common/error.h"

#include <gtest/gtest.h>

#include <map>

namespace failback {
namespace {

constexpr int64_t block = 8192;
constexpr int64_t megabyte = 1024 * 1024;

FileEntry file(std::string path, int64_t size = 0, std::string content = "")
{
    FileEntry entry;
    entry.path = std::move(path);
    entry.size = size;
    if (!content.empty()) {
        entry.has_checksum = true;
        entry.checksum = default_checksum_algorithm().compute({reinterpret_cast<const unsigned char *>(content.data()), content.size()});
    }
    return entry;
}

FileEntry directory(std::string path)
{
    FileEntry entry = file(std::move(path));
    entry.kind = FileKind::directory;
    return entry;
}

FileEntry link(std::string path, std::string where)
{
    FileEntry entry = file(std::move(path));
    entry.kind = FileKind::symlink;
    entry.link_target = std::move(where);
    return entry;
}

class DecideTest : public testing::Test {
protected:
    const std::map<std::string, FileAction> &run(std::vector<FileEntry> source, std::vector<FileEntry> target)
    {
        sort_manifest(source);
        sort_manifest(target);
        DecideInput input;
        input.source = &source;
        input.target = &target;
        input.blocks = &blocks;
        input.foreign = foreign;
        input.own_keys = own_keys;
        input.config = [this](std::string_view path, bool on_target, bool on_source, bool identical) {
            config_asked = std::string(path) + (on_target ? " target" : "") + (on_source ? " source" : "") + (identical ? " identical" : "");
            // As the real policy does with copies that an earlier run has left.
            return path.ends_with(".source") ? ConfigChoice::remove : choice;
        };
        input.source_copy_name = [](std::string_view path) { return std::string(path) + ".source"; };
        plan = decide(input);
        actions.clear();
        for (size_t i = 0; i < plan.actions.size(); i++) {
            if (i > 0) {
                EXPECT_LT(plan.actions[i - 1].path, plan.actions[i].path);
            }
            actions[plan.actions[i].path] = plan.actions[i];
        }
        return actions;
    }

    // "", "remove", "replace", "patch", "directory", "symlink"
    std::string what(const std::string &path) const
    {
        auto found = actions.find(path);
        if (found == actions.end())
            return "";
        static const char *names[] = {"remove", "directory", "symlink", "replace", "patch"};
        return names[static_cast<size_t>(found->second.kind)];
    }

    BlockMap blocks;
    ForeignFiles foreign = ForeignFiles::keep_targets;
    std::set<std::string, std::less<>> own_keys;
    ConfigChoice choice = ConfigChoice::keep;
    std::string config_asked;
    Plan plan;
    std::map<std::string, FileAction> actions;
};

TEST_F(DecideTest, NothingToDo)
{
    run({file("base/5/16384", 3 * block), file("pg_xact/0000", block, "a")}, {file("base/5/16384", 3 * block), file("pg_xact/0000", block, "a")});
    EXPECT_TRUE(actions.empty());
    EXPECT_EQ(plan.files_kept, 2);
    EXPECT_EQ(plan.bytes_to_fetch, 0);
    EXPECT_EQ(plan.source_bytes, 4 * block);
}

TEST_F(DecideTest, ChangedBlocksOfARelationArePatched)
{
    blocks.add_block({1663, 5, 16384}, 1);
    run({file("base/5/16384", 3 * block)}, {file("base/5/16384", 3 * block)});
    ASSERT_EQ(what("base/5/16384"), "patch");
    const FileAction &action = actions["base/5/16384"];
    EXPECT_EQ(action.fetch, (std::vector<Extent>{{block, block}}));
    EXPECT_EQ(action.size, 3 * block);
    EXPECT_TRUE(action.relation);
    EXPECT_EQ(action.staging, StagingKind::redo);
    EXPECT_EQ(plan.blocks_to_fetch, 1);
    EXPECT_EQ(plan.bytes_to_fetch, block);
}

TEST_F(DecideTest, ARelationOfAnotherSizeIsCutOrExtended)
{
    run({file("base/5/1", 2 * block), file("base/5/2", 5 * block)}, {file("base/5/1", 4 * block), file("base/5/2", 4 * block)});
    EXPECT_EQ(what("base/5/1"), "patch");
    EXPECT_TRUE(actions["base/5/1"].fetch.empty());
    EXPECT_EQ(actions["base/5/1"].size, 2 * block);
    EXPECT_EQ(actions["base/5/2"].fetch, (std::vector<Extent>{{4 * block, block}}));
}

TEST_F(DecideTest, ARelationThatTheTargetCreatedIsReplacedWhole)
{
    blocks.add_created({1663, 5, 16384});
    blocks.add_created_database(1663, 6);
    run({file("base/5/16384", 3 * block), file("base/6/1249", block)}, {file("base/5/16384", 3 * block), file("base/6/1249", block)});
    for (const char *path : {"base/5/16384", "base/6/1249"})
        EXPECT_EQ(what(path), "replace");
    EXPECT_EQ(actions["base/5/16384"].fetch, (std::vector<Extent>{{0, 3 * block}}));
}

TEST_F(DecideTest, ChecksumsOfRelationsAreNotAskedFor)
{
    // Hint bits and unlogged fill differ on the two sides: WAL is the judge.
    run({file("base/5/16384", block, "a")}, {file("base/5/16384", block, "b")});
    EXPECT_TRUE(actions.empty());
}

TEST_F(DecideTest, ForksAndOtherFilesGoByContent)
{
    run({file("base/5/16384_vm", block, "a"), file("pg_xact/0000", block, "a"), file("global/pg_filenode.map", 512, "a"), file("pg_multixact/members/0000", 7, "a")},
        {file("base/5/16384_vm", block, "b"), file("pg_xact/0000", block, "b"), file("global/pg_filenode.map", 512, "a"), file("pg_multixact/members/0000", 8, "a")});
    EXPECT_EQ(what("base/5/16384_vm"), "replace");
    EXPECT_TRUE(actions["base/5/16384_vm"].relation);
    EXPECT_EQ(what("pg_xact/0000"), "replace");
    EXPECT_FALSE(actions["pg_xact/0000"].relation);
    EXPECT_EQ(what("global/pg_filenode.map"), "");
    EXPECT_EQ(what("pg_multixact/members/0000"), "replace");
}

TEST_F(DecideTest, WithoutAChecksumEqualSizesDoNotCountAsEqual)
{
    run({file("pg_xact/0000", block)}, {file("pg_xact/0000", block)});
    EXPECT_EQ(what("pg_xact/0000"), "replace");
}

TEST_F(DecideTest, FilesOfOneSide)
{
    run({directory("base/7"), file("base/7/PG_VERSION", 3, "15"), file("base/5/16390", 2 * block), file("base/5/16391", 0)},
        {directory("base/6"), file("base/6/16384", block), file("base/5/16384", block)});
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
    run({file("global/pg_control", block), file("pg_wal/000000010000000000000001", 16 * megabyte), file("postmaster.pid", 1), file("backup_label", 1),
         file("pg_replslot/slot/state", 1), file("base/5/t3_16384", block), file("pg_failback.staging/plan", 1), file("server.key", 1),
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
    std::vector<FileEntry> target = {file("global/pg_control", block), file("server.key", 1), file("postmaster.opts", 1),
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

TEST_F(DecideTest, ConfigurationIsAskedAbout)
{
    run({file("postgresql.conf", 3, "abc")}, {file("postgresql.conf", 3, "abc")});
    EXPECT_EQ(config_asked, "postgresql.conf target source identical");
    run({file("postgresql.conf", 3, "abc")}, {file("postgresql.conf", 3, "xyz")});
    EXPECT_EQ(config_asked, "postgresql.conf target source");
    run({}, {file("pg_hba.conf", 3)});
    EXPECT_EQ(config_asked, "pg_hba.conf target");
    run({file("pg_hba.conf", 3)}, {});
    EXPECT_EQ(config_asked, "pg_hba.conf source");
    EXPECT_TRUE(actions.empty());
}

TEST_F(DecideTest, ConfigurationChoices)
{
    FileEntry ours = file("postgresql.conf", 3, "abc"), theirs = file("postgresql.conf", 4, "abcd");
    choice = ConfigChoice::take_source;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "replace");
    EXPECT_EQ(actions["postgresql.conf"].size, 4);
    choice = ConfigChoice::remove;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "remove");
    choice = ConfigChoice::write_beside;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "");
    EXPECT_EQ(what("postgresql.conf.source"), "replace");
    EXPECT_EQ(actions["postgresql.conf.source"].read_from(), "postgresql.conf");
}

TEST_F(DecideTest, AnEarlierSourceCopyIsReplacedNotRemovedToo)
{
    choice = ConfigChoice::write_beside;
    std::vector<FileEntry> target = {file("pg_hba.conf.source", 9), file("postgresql.conf", 3), file("postgresql.conf.source", 9)};
    run({file("postgresql.conf", 4)}, target);
    EXPECT_EQ(plan.actions.size(), 2u);
    EXPECT_EQ(what("postgresql.conf.source"), "replace");
    EXPECT_EQ(what("pg_hba.conf.source"), "remove"); // not written anew
}

TEST_F(DecideTest, ASourceCopyWhoseNameWouldBeTooLongIsNotMade)
{
    choice = ConfigChoice::write_beside;
    std::string longest(250, 'a'); // with ".source" more than a name may have
    run({file(longest + ".conf", 10, "a"), file("short.conf", 10, "a")}, {file("short.conf", 10, "b")});
    EXPECT_EQ(actions.size(), 1u);
    EXPECT_EQ(what("short.conf.source"), "replace");
    ASSERT_EQ(plan.notes.size(), 1u);
    EXPECT_NE(plan.notes[0].find(longest), std::string::npos) << plan.notes[0];
}

TEST_F(DecideTest, PrivateKeysAreLeftAlone)
{
    choice = ConfigChoice::take_source;
    run({file("server.key", 3)}, {file("server.key", 4)});
    EXPECT_EQ(what("server.key"), "") << "a key is never overwritten";
}

TEST_F(DecideTest, SoIsTheKeyThatOnlyASettingTells)
{
    own_keys = {"tls/secret", "tls/other"};
    foreign = ForeignFiles::as_source;
    choice = ConfigChoice::remove;
    run({file("tls/secret", 3), directory("tls")}, {file("tls/secret", 4), directory("tls")});
    EXPECT_EQ(what("tls/secret"), "") << "not overwritten";
    run({directory("tls")}, {file("tls/secret", 4), directory("tls")});
    EXPECT_EQ(what("tls/secret"), "") << "not removed";
    own_keys = {"tls/both.pem"};
    run({}, {file("tls/both.pem", 4), directory("tls")});
    EXPECT_EQ(what("tls/both.pem"), "") << "not as a configuration file either";
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
    run({}, {link("pg_tblspc/16385", "/space"), directory("pg_tblspc/16385/PG_15_1"), file("pg_tblspc/16385/PG_15_1/5/16390", block)});
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
    run({file("base/5/1", megabyte), file("base/5/2", megabyte), file("base/5/3", megabyte), file("base/5/4", megabyte - block)},
        {file("base/5/1", megabyte), file("base/5/2", megabyte)});
    EXPECT_EQ(actions["base/5/1"].staging, StagingKind::whole_file) << "half of it";
    EXPECT_EQ(actions["base/5/2"].staging, StagingKind::redo) << "one block of it";
    EXPECT_EQ(actions["base/5/3"].staging, StagingKind::whole_file) << "a new one";
    EXPECT_EQ(actions["base/5/4"].staging, StagingKind::redo) << "a small one";
}

TEST_F(DecideTest, BytesAndBlocksAreCounted)
{
    run({file("base/5/1", 3 * block), file("pg_xact/0000", 100)}, {});
    EXPECT_EQ(plan.bytes_to_fetch, 3 * block + 100);
    EXPECT_EQ(plan.blocks_to_fetch, 3);
    EXPECT_EQ(plan.source_bytes, 3 * block + 100);
}

} // namespace
} // namespace failback
