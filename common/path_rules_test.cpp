#include "common/path_rules.h"

#include <gtest/gtest.h>

using namespace failback;
using namespace std::string_view_literals;

namespace {

TEST(ClassifyPath, Table)
{
    const struct {
        const char *path;
        PathClass expected;
    } rows[] = {
        {"base/5/1259", PathClass::relation_main},
        {"base/5/1259.1", PathClass::relation_main},
        {"global/1262", PathClass::relation_main},
        {"pg_tblspc/16384/PG_15_202209061/5/16400", PathClass::relation_main},
        {"base/5/1259_fsm", PathClass::relation_fork},
        {"base/5/1259_vm.3", PathClass::relation_fork},
        {"base/5/16400_init", PathClass::relation_fork},
        {"base/5/t3_16400", PathClass::relation_temporary},
        {"base/5/t12_16400_fsm", PathClass::relation_temporary},
        {"base/5/t3_16400.1", PathClass::relation_temporary},
        {"pg_tblspc/16384/PG_15_202209061/5/t1_2", PathClass::relation_temporary},
        {"pg_wal/000000010000000000000001", PathClass::wal_segment},
        {"pg_wal/0000000A.history", PathClass::wal_history},
        {"pg_wal/000000010000000000000001.partial", PathClass::wal_other},
        {"pg_wal/00000001000000000000000a", PathClass::wal_other},
        {"pg_wal/archive_status", PathClass::wal_other},
        {"pg_wal/archive_status/0000000A.history.done", PathClass::wal_other},
        {"pg_wal/summaries/x.summary", PathClass::wal_other},
        {"pg_wal/xlogtemp.77", PathClass::wal_other},
        {"pg_wal", PathClass::other},
        {"global/pg_control", PathClass::control_file},
        {"global/pg_control.old", PathClass::control_file},
        {"postmaster.pid", PathClass::excluded},
        {"postmaster.opts", PathClass::excluded},
        {"backup_label", PathClass::excluded},
        {"backup_label.old", PathClass::excluded},
        {"tablespace_map", PathClass::excluded},
        {"backup_manifest", PathClass::excluded},
        {"postgresql.auto.conf.tmp", PathClass::excluded},
        {"current_logfiles", PathClass::excluded},
        {"current_logfiles.tmp", PathClass::excluded},
        {".s.PGSQL.5432.lock", PathClass::excluded},
        {"pg_notify/0000", PathClass::excluded},
        {"pg_replslot/a/state", PathClass::excluded},
        {"pg_stat_tmp/x.conf", PathClass::excluded},
        {"base/pgsql_tmp", PathClass::excluded},
        {"base/pgsql_tmp/pgsql_tmp1.0", PathClass::excluded},
        {"base/5/pg_internal.init", PathClass::excluded},
        {"global/pg_internal.init.123", PathClass::excluded},
        {"pg_notify", PathClass::other},
        {"pg_failback.staging", PathClass::staging},
        {"pg_failback.staging/a/b", PathClass::staging},
        {"pg_wal/pg_failback.x", PathClass::staging},
        {note_path, PathClass::staging},
        {"global/pgsql_tmp.pg_failback_moved_pg_control.pg_failback_tmp", PathClass::staging},
        {"backup_label.pg_failback_tmp", PathClass::staging},
        {"pg_tblspc/16384/pg_failback.x/y", PathClass::staging},
        {"postgresql.conf", PathClass::configuration},
        {"postgresql.auto.conf", PathClass::configuration},
        {"conf.d/extra.conf", PathClass::configuration},
        {"standby.signal", PathClass::configuration},
        {"server.crt", PathClass::configuration},
        {"server.key", PathClass::configuration},
        {"postgresql.conf.source", PathClass::configuration},
        {"base/5/x.conf", PathClass::other},
        {"base/5/PG_VERSION", PathClass::other},
        {"base/5/pg_filenode.map", PathClass::other},
        {"base/5/01259", PathClass::other},
        {"base/5/1259_foo", PathClass::other},
        {"base/5/1259.0", PathClass::other},
        {"base/5/1259/1", PathClass::other},
        {"base/5/99999999999", PathClass::other},
        {"pg_xact/0000", PathClass::other},
        {"pg_twophase/00000000000002EA", PathClass::other},
        {"x.source", PathClass::other},
    };
    for (const auto &row : rows)
        EXPECT_EQ(classify_path(row.path), row.expected) << row.path;
}

TEST(ParseRelationPath, Parts)
{
    auto relation = parse_relation_path("pg_tblspc/16384/PG_15_202209061/5/16400_vm.12");
    ASSERT_TRUE(relation);
    EXPECT_EQ(relation->relation, (RelationId{16384, 5, 16400}));
    EXPECT_EQ(relation->fork, ForkKind::vm);
    EXPECT_EQ(relation->segment, 12u);

    relation = parse_relation_path("global/1262");
    ASSERT_TRUE(relation);
    EXPECT_EQ(relation->relation, (RelationId{1664, 0, 1262}));
    EXPECT_EQ(relation->segment, 0u);

    relation = parse_relation_path("base/4294967295/4294967295.131071");
    ASSERT_TRUE(relation);
    EXPECT_EQ(relation->relation, (RelationId{1663, 4294967295u, 4294967295u}));

    for (const char *path : {"base/1259", "pg_tblspc/16384/5/16400", "pg_tblspc/x/PG_15/5/16400", "base/5/", "1259",
                             "base/5/t3_16400", "base/4294967296/1", "base/5/+1", "global/5/1"})
        EXPECT_FALSE(parse_relation_path(path)) << path;
}

TEST(PathRules, KeysAndDirectories)
{
    EXPECT_TRUE(is_private_key("server.key"));
    EXPECT_TRUE(is_private_key("certs/a.key"));
    EXPECT_TRUE(is_private_key("server.key.old"));
    EXPECT_TRUE(is_private_key(".key"));
    EXPECT_FALSE(is_private_key("a.key.d/x"));
    EXPECT_FALSE(is_private_key("monkey"));
    EXPECT_TRUE(is_source_copy("conf.d/a.conf.source"));
    EXPECT_FALSE(is_source_copy("base/5/a.conf.source"));
    EXPECT_TRUE(is_cluster_directory("pg_xact"));
    EXPECT_FALSE(is_cluster_directory("conf.d"));
    EXPECT_TRUE(is_emptied_directory("pg_replslot"));
    EXPECT_FALSE(is_emptied_directory("pg_replslot/a"));
    EXPECT_FALSE(is_emptied_directory("pg_stat"));
}

TEST(LogDirectoryInside, Table)
{
    const struct {
        const char *setting;
        std::optional<std::string> expected;
    } rows[] = {
        {"log", "log"},          {"./logs//pg/", "logs/pg"}, {"/data/pg/log", "log"}, {"/data/pg//a/b", "a/b"},
        {"/data/pg", {}},        {"/data/pg/", {}},          {"/data/pgx/log", {}},   {"/var/log", {}},
        {"../log", {}},          {"log/../..", {}},          {".", {}},               {"", {}},
        {"base", {}},            {"pg_wal/log", {}},         {"/data/pg/global", {}}, {"based", "based"},
    };
    for (const auto &row : rows) {
        EXPECT_EQ(log_directory_inside(row.setting, "/data/pg"), row.expected) << row.setting;
        EXPECT_EQ(log_directory_inside(row.setting, "/data/pg/"), row.expected) << row.setting;
    }
}

} // namespace
