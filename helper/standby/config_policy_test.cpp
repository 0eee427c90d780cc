#include "helper/standby/config_policy.h"

#include "common/path_rules.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using enum ConfigFileAction;

// "ts=": on target, on source, identical; "e": the target is configured elsewhere.
ConfigFileAction decide(ConfigFiles policy, std::string_view path, std::string_view where)
{
    auto has = [&](char c) { return where.find(c) != where.npos; };
    ConfigFileDecision decision = decide_config_file(policy, {path, has('t'), has('s'), has('='), has('e')});
    EXPECT_STRNE(decision.reason, "");
    return decision.action;
}

struct Row {
    const char *path;
    const char *where;
    ConfigFileAction target_policy, source_policy;
};

TEST(ConfigPolicy, Table)
{
    const Row rows[] = {
        {"postgresql.conf", "ts", write_beside, take_source},
        {"postgresql.conf", "ts=", keep, keep},
        {"postgresql.conf", "s", take_source, take_source},
        {"postgresql.conf", "se", write_beside, take_source}, // Debian: a file there would shadow nothing, but it would mislead
        {"postgresql.conf", "t", keep, keep},                 // the source has its configuration elsewhere
        {"pg_hba.conf", "s", take_source, take_source},
        {"pg_hba.conf", "t", keep, keep},
        {"pg_ident.conf", "s", write_beside, take_source},
        {"pg_ident.conf", "t", keep, remove},
        {"postgresql.auto.conf", "ts", write_beside, take_source},
        {"postgresql.auto.conf", "s", write_beside, take_source},
        {"postgresql.auto.conf", "t", keep, remove},
        {"conf.d/10-memory.conf", "ts", write_beside, take_source},
        {"conf.d/10-memory.conf", "s", write_beside, take_source},
        {"conf.d/10-memory.conf", "t", keep, remove},
        {"standby.signal", "s", keep, take_source},
        {"standby.signal", "t", keep, remove},
        {"standby.signal", "ts=", keep, keep},
        {"recovery.signal", "s", keep, take_source},
        {"recovery.signal", "t", keep, remove},
        {"server.key", "s", keep, keep},
        {"server.key", "ts", keep, keep},
        {"server.key", "t", keep, keep},
        {"server.crt", "ts", write_beside, write_beside}, // its key is not taken either
        {"server.crt", "ts=", keep, keep},
        {"server.crt", "t", keep, keep},
        {"server.crt", "s", write_beside, take_source},
        {"ssl/root.crl", "ts", write_beside, take_source},
        {"postgresql.conf.source", "t", remove, remove},
        {"postgresql.conf.source", "s", keep, keep},
        {"postgresql.conf.source", "ts", remove, remove},
    };
    for (const Row &row : rows) {
        EXPECT_EQ(decide(ConfigFiles::target, row.path, row.where), row.target_policy) << row.path << " " << row.where;
        EXPECT_EQ(decide(ConfigFiles::source, row.path, row.where), row.source_policy) << row.path << " " << row.where;
    }
}

TEST(ConfigPolicy, CopiesAreKnownAgainAndReadByNoServer)
{
    for (const char *path : {"postgresql.conf", "conf.d/a.conf", "postgresql.auto.conf", "server.crt"}) {
        std::string copy = source_copy_name(path);
        EXPECT_TRUE(is_source_copy(copy)) << copy;
        EXPECT_FALSE(copy.ends_with(".conf")) << copy;
    }
}

} // namespace
} // namespace failback
