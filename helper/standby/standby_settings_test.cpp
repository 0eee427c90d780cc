#include "helper/standby/standby_settings.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

TEST(StandbySettings, WarnsOfEachLowerOne)
{
    SettingValues primary = {{"max_connections", "200"}, {"max_worker_processes", "8"}, {"max_wal_senders", "10"},
                             {"max_prepared_transactions", "5"}, {"max_locks_per_transaction", "64"}};
    SettingValues target = {{"max_connections", "100"}, {"max_worker_processes", "8"}, {"max_wal_senders", "20"},
                            {"max_prepared_transactions", "0"}, {"max_locks_per_transaction", "64"}};
    std::vector<SettingWarning> warnings = compare_standby_settings(target, primary);
    ASSERT_EQ(warnings.size(), 2u);
    EXPECT_EQ(warnings[0].message, "\"max_connections\" is 100 on the target, but 200 on its new primary: hot standby would be refused");
    EXPECT_EQ(warnings[0].hint, "Set \"max_connections = 200\" in the target's configuration before starting it.");
    EXPECT_NE(warnings[1].hint.find("max_prepared_transactions = 5"), std::string::npos);
    EXPECT_TRUE(compare_standby_settings(primary, primary).empty());
}

TEST(StandbySettings, NoAdviceWithoutNumbers)
{
    EXPECT_TRUE(compare_standby_settings({}, {{"max_connections", "200"}}).empty());
    EXPECT_TRUE(compare_standby_settings({{"max_connections", "1"}}, {}).empty());
    EXPECT_TRUE(compare_standby_settings({{"max_connections", "1x"}}, {{"max_connections", "200"}}).empty());
    EXPECT_TRUE(compare_standby_settings({{"max_connections", ""}}, {{"max_connections", "200"}}).empty());
}

TEST(StandbySettings, FromThePrimarysControlFile)
{
    ControlFile control;
    control.data.MaxConnections = 1;
    control.data.max_worker_processes = 2;
    control.data.max_wal_senders = 3;
    control.data.max_prepared_xacts = 4;
    control.data.max_locks_per_xact = 5;
    SettingValues values = standby_settings_of(control);
    int expected = 1;
    for (const char *name : standby_setting_names)
        EXPECT_EQ(values.at(name), std::to_string(expected++)) << name;
}

} // namespace
} // namespace failback
