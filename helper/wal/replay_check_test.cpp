#include "helper/wal/replay_check.h"

#include "helper/wal/test_wal.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::bytes_of;
using test::TestWal;

ReplayCheck check(TestWal &wal, Lsn start)
{
    ReplayCheckOptions options;
    options.history = &wal.history();
    options.segment_size = wal.segment_size();
    options.system_identifier = TestWal::system_identifier;
    options.start = start;
    options.end = wal.end();
    return check_replay(wal, options);
}

TEST(ReplayCheck, OrdinaryWalHasNoHazards)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    for (int i = 0; i < 100; i++)
        wal.append_sized(3000);
    ReplayCheck result = check(wal, start);
    EXPECT_TRUE(result.hazards.empty());
    EXPECT_TRUE(result.tablespaces.empty());
    EXPECT_EQ(result.records, 101u);
}

TEST(ReplayCheck, CopiedDatabase)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    xl_dbase_create_file_copy_rec copy{16400, 1663, 5, 1663};
    Lsn at = wal.append({.resource_manager = RM_DBASE_ID, .info = XLOG_DBASE_CREATE_FILE_COPY | XLR_SPECIAL_REL_UPDATE,
                         .main_data = bytes_of(copy)});
    ReplayCheck result = check(wal, start);
    ASSERT_EQ(result.hazards.size(), 1u);
    EXPECT_NE(result.hazards[0].find(at.text()), std::string::npos);
}

TEST(ReplayCheck, DatabaseWrittenToWalIsNoHazard)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    xl_dbase_create_wal_log_rec create{16400, 1663};
    wal.append({.resource_manager = RM_DBASE_ID, .info = XLOG_DBASE_CREATE_WAL_LOG | XLR_SPECIAL_REL_UPDATE,
                .main_data = bytes_of(create)});
    EXPECT_TRUE(check(wal, start).hazards.empty());
}

TEST(ReplayCheck, FullPageWritesTurnedOff)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    wal.append({.resource_manager = RM_XLOG_ID, .info = XLOG_FPW_CHANGE, .main_data = std::string(1, '\1')});
    EXPECT_TRUE(check(wal, start).hazards.empty());
    wal.append({.resource_manager = RM_XLOG_ID, .info = XLOG_FPW_CHANGE, .main_data = std::string(1, '\0')});
    EXPECT_EQ(check(wal, start).hazards.size(), 1u);
}

TEST(ReplayCheck, WalLevelMinimal)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    xl_parameter_change change{};
    change.wal_level = 1;
    wal.append({.resource_manager = RM_XLOG_ID, .info = XLOG_PARAMETER_CHANGE, .main_data = bytes_of(change)});
    EXPECT_TRUE(check(wal, start).hazards.empty());
    change.wal_level = 0;
    wal.append({.resource_manager = RM_XLOG_ID, .info = XLOG_PARAMETER_CHANGE, .main_data = bytes_of(change)});
    EXPECT_EQ(check(wal, start).hazards.size(), 1u);
}

TEST(ReplayCheck, TablespacesAreReported)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    uint32_t oid = 16500;
    std::string path = "/srv/space";
    wal.append({.resource_manager = RM_TBLSPC_ID, .info = 0, .main_data = bytes_of(oid) + path + '\0'});
    ReplayCheck result = check(wal, start);
    ASSERT_EQ(result.tablespaces.size(), 1u);
    EXPECT_EQ(result.tablespaces[0].oid, oid);
    EXPECT_EQ(result.tablespaces[0].location, path);
}

TEST(ReplayCheck, GapBeforeTheEndIsAnError)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    Lsn middle;
    for (int i = 0; i < 60; i++) {
        Lsn at = wal.append_sized(3000);
        if (i == 40)
            middle = at;
    }
    wal.remove_segment(1, middle);
    EXPECT_THROW(check(wal, start), Error);
}

TEST(ReplayCheck, ShortRecordIsAnError)
{
    TestWal wal;
    Lsn start = wal.append_checkpoint(Lsn{});
    wal.append({.resource_manager = RM_TBLSPC_ID, .info = 0, .main_data = "ab"});
    EXPECT_THROW(check(wal, start), Error);
}

} // namespace
} // namespace failback
