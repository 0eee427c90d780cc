#include "helper/wal/wal_scan.h"

#include "helper/wal/test_scan.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::blocks_of;
using test::bytes_of;
using test::options_for;
using test::table;
using test::TestBlock;
using test::TestRecord;
using test::TestWal;
using test::touching;

const RelationId other_table{1663, 5, 16385};

PgRelation pg_relation(const RelationId &relation)
{
    uint32_t numbers[3] = {relation.tablespace, relation.database, relation.number};
    PgRelation result;
    std::memcpy(&result, numbers, sizeof(result));
    return result;
}

TestRecord storage_create(const RelationId &relation, ForkKind fork)
{
    auto number = static_cast<int32_t>(fork);
    return {.resource_manager = RM_SMGR_ID, .info = XLOG_SMGR_CREATE | XLR_SPECIAL_REL_UPDATE,
            .main_data = bytes_of(pg_relation(relation)) + bytes_of(number)};
}

TestRecord storage_truncate(const RelationId &relation, uint32_t blocks, int32_t flags)
{
    return {.resource_manager = RM_SMGR_ID, .info = XLOG_SMGR_TRUNCATE | XLR_SPECIAL_REL_UPDATE,
            .main_data = bytes_of(blocks) + bytes_of(pg_relation(relation)) + bytes_of(flags)};
}

TestRecord transaction(uint8_t operation, int64_t time)
{
    return {.resource_manager = RM_XACT_ID, .info = operation, .main_data = bytes_of(time)};
}

TestRecord full_page_writes_change(bool on)
{
    return {.resource_manager = RM_XLOG_ID, .info = XLOG_FPW_CHANGE, .main_data = bytes_of(on)};
}

TEST(WalScan, ReadsAByteThatIsNoBoolAsOn)
{
    TestWal wal;
    Lsn start = wal.append({.resource_manager = RM_XLOG_ID, .info = XLOG_FPW_CHANGE, .main_data = "\x02"});
    wal.append(touching(1));
    EXPECT_TRUE(blocks_of(scan_wal(wal, options_for(wal, start, wal.next_start()))).empty());
}

TEST(WalScan, CollectsBlocksFromTheDivergenceOn)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    wal.append(touching(2));
    Lsn divergence = wal.next_start();
    wal.append(touching(3));
    wal.append({.blocks = {TestBlock{.block = 4, .image_bytes = 5000},
                           TestBlock{.block = 8, .same_relation = true},
                           TestBlock{.relation = other_table, .block = 9, .image_bytes = 9000}}});
    WalScanResult result = scan_wal(wal, options_for(wal, start, divergence));
    EXPECT_EQ(blocks_of(result), (std::vector<uint32_t>{3, 4, 8}));
    EXPECT_EQ(blocks_of(result, other_table), std::vector<uint32_t>{9});
    EXPECT_EQ(result.records, 4u);
    EXPECT_EQ(result.end_of_wal, wal.end());
    EXPECT_EQ(result.lost.wal_bytes, wal.end().value - divergence.value);
    EXPECT_FALSE(result.untrusted);
}

TestRecord parameter_change(bool log_hints)
{
    xl_parameter_change change{};
    change.wal_log_hints = log_hints;
    return {.resource_manager = RM_XLOG_ID, .info = XLOG_PARAMETER_CHANGE, .main_data = bytes_of(change)};
}

TestRecord hint_image()
{
    return {.resource_manager = RM_XLOG_ID, .info = XLOG_FPI_FOR_HINT, .blocks = {TestBlock{.block = 1, .image_bytes = 5000}}};
}

TestRecord shutdown_checkpoint()
{
    return {.resource_manager = RM_XLOG_ID, .info = XLOG_CHECKPOINT_SHUTDOWN, .main_data = bytes_of(CheckPoint{})};
}

// Whether data checksums were there all the time is not said by pg_control, which tells only that they are there now.
TEST(WalScan, HintsThatWereLoggedBeforeAStop)
{
    auto scan = [](const std::vector<TestRecord> &before, const std::vector<TestRecord> &after) {
        TestWal wal;
        Lsn start = wal.append(touching(1));
        for (const TestRecord &record : before)
            wal.append(record);
        Lsn divergence = wal.next_start();
        for (const TestRecord &record : after)
            wal.append(record);
        return scan_wal(wal, options_for(wal, start, divergence));
    };
    WalScanResult result = scan({}, {touching(2), shutdown_checkpoint()});
    EXPECT_FALSE(result.hints_were_logged);
    EXPECT_FALSE(result.restarted) << "stopped and left so";
    result = scan({shutdown_checkpoint(), touching(2)}, {touching(3)});
    EXPECT_FALSE(result.restarted) << "before the divergence";
    result = scan({}, {shutdown_checkpoint(), touching(2), hint_image()});
    EXPECT_TRUE(result.restarted);
    EXPECT_FALSE(result.hints_were_logged) << "checksums may be of the time in between";
    result = scan({}, {hint_image(), shutdown_checkpoint(), touching(2)});
    EXPECT_TRUE(result.restarted && result.hints_were_logged && !result.parameters_changed);
    EXPECT_TRUE(scan({hint_image()}, {shutdown_checkpoint(), parameter_change(true)}).hints_were_logged);
    result = scan({hint_image()}, {shutdown_checkpoint(), parameter_change(false)});
    EXPECT_TRUE(result.restarted && result.parameters_changed);
    EXPECT_FALSE(result.hints_were_logged) << "it was wal_log_hints, perhaps";
    EXPECT_FALSE(scan({hint_image(), parameter_change(false)}, {touching(2)}).hints_were_logged);
    EXPECT_FALSE(scan({parameter_change(true)}, {touching(2)}).parameters_changed) << "before the divergence";
}

TEST(WalScan, CountsARecordThatEndsAfterTheDivergence)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    Lsn across = wal.append(touching(2));
    WalScanResult result = scan_wal(wal, options_for(wal, start, across + 8));
    EXPECT_EQ(blocks_of(result), std::vector<uint32_t>{2});
}

TEST(WalScan, LeavesOtherForksOut)
{
    TestWal wal;
    Lsn start = wal.append(touching(1, table, ForkKind::fsm));
    wal.append(touching(2, table, ForkKind::vm));
    wal.append(touching(3, table, ForkKind::init));
    WalScanResult result = scan_wal(wal, options_for(wal, start, start));
    EXPECT_TRUE(blocks_of(result).empty());
    EXPECT_EQ(result.records, 3u);
}

TEST(WalScan, CollectsEverythingWhereFullPageWritesWereOff)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    wal.append(full_page_writes_change(true));
    wal.append(touching(2));
    wal.append(full_page_writes_change(false));
    wal.append(touching(3));
    wal.append(storage_create(other_table, ForkKind::main));
    wal.append(transaction(XLOG_XACT_COMMIT, 5));
    wal.append(full_page_writes_change(true));
    wal.append(touching(4));
    Lsn divergence = wal.next_start();
    wal.append(touching(5));
    WalScanOptions options = options_for(wal, start, divergence);
    WalScanResult result = scan_wal(wal, options);
    EXPECT_EQ(blocks_of(result), (std::vector<uint32_t>{3, 4, 5}));
    EXPECT_TRUE(result.blocks.replace_whole(other_table));
    EXPECT_EQ(result.lost.commits, 0u); // both have it
    options.full_page_writes_at_start = false;
    EXPECT_EQ(blocks_of(scan_wal(wal, options)), (std::vector<uint32_t>{1, 2, 3, 4, 5}));
}

TEST(WalScan, CollectsCreatedAndTruncatedRelations)
{
    TestWal wal;
    RelationId unlogged{1663, 5, 30}, only_fsm{1663, 5, 31}, before{1663, 5, 32};
    Lsn start = wal.append(storage_create(before, ForkKind::main));
    wal.append(storage_truncate(before, 3, SMGR_TRUNCATE_ALL));
    Lsn divergence = wal.next_start();
    wal.append(storage_create(other_table, ForkKind::main));
    wal.append(storage_create(unlogged, ForkKind::init));
    wal.append(storage_create(only_fsm, ForkKind::fsm));
    wal.append(storage_truncate(table, 999995, SMGR_TRUNCATE_ALL));
    wal.append(storage_truncate(only_fsm, 0, SMGR_TRUNCATE_FSM | SMGR_TRUNCATE_VM));
    WalScanResult result = scan_wal(wal, options_for(wal, start, divergence));
    EXPECT_TRUE(result.blocks.replace_whole(other_table));
    EXPECT_TRUE(result.blocks.replace_whole(unlogged));
    EXPECT_FALSE(result.blocks.replace_whole(only_fsm));
    EXPECT_TRUE(blocks_of(result, only_fsm).empty());
    EXPECT_FALSE(result.blocks.replace_whole(before));
    EXPECT_TRUE(blocks_of(result, before).empty());
    EXPECT_EQ(blocks_of(result).size(), 5u); // of the million asked for
    EXPECT_FALSE(result.untrusted);
}

TEST(WalScan, CollectsCreatedDatabases)
{
    TestWal wal;
    xl_dbase_create_file_copy_rec copied{20, 1663, 1, 1663};
    xl_dbase_create_wal_log_rec logged{21, 1700};
    Lsn start = wal.append({.resource_manager = RM_DBASE_ID, .info = XLOG_DBASE_CREATE_FILE_COPY | XLR_SPECIAL_REL_UPDATE,
                            .main_data = bytes_of(copied)});
    wal.append({.resource_manager = RM_DBASE_ID, .info = XLOG_DBASE_CREATE_WAL_LOG | XLR_SPECIAL_REL_UPDATE,
                .main_data = bytes_of(logged)});
    wal.append({.resource_manager = RM_DBASE_ID, .info = XLOG_DBASE_DROP | XLR_SPECIAL_REL_UPDATE,
                .main_data = std::string(12, '\0')});
    WalScanResult result = scan_wal(wal, options_for(wal, start, start));
    EXPECT_TRUE(result.blocks.replace_whole({1663, 20, 99}));
    EXPECT_TRUE(result.blocks.replace_whole({1700, 21, 99}));
    EXPECT_FALSE(result.blocks.replace_whole({1663, 21, 99}));
    EXPECT_FALSE(result.untrusted);
}

TEST(WalScan, CountsLostTransactions)
{
    TestWal wal;
    Lsn start = wal.append(transaction(XLOG_XACT_COMMIT, 100));
    Lsn divergence = wal.next_start();
    wal.append(transaction(XLOG_XACT_COMMIT, 300));
    wal.append(transaction(XLOG_XACT_COMMIT | XLOG_XACT_HAS_INFO | XLR_SPECIAL_REL_UPDATE, 200));
    wal.append(transaction(XLOG_XACT_COMMIT_PREPARED | XLOG_XACT_HAS_INFO, 400));
    wal.append(transaction(XLOG_XACT_ABORT | XLR_SPECIAL_REL_UPDATE, 900));
    wal.append(transaction(XLOG_XACT_ABORT_PREPARED, 901));
    wal.append(transaction(XLOG_XACT_PREPARE, 902));
    wal.append(transaction(XLOG_XACT_INVALIDATIONS, 903));
    WalScanResult result = scan_wal(wal, options_for(wal, start, divergence));
    EXPECT_EQ(result.lost.commits, 3u);
    EXPECT_EQ(result.lost.aborts, 2u);
    EXPECT_EQ(result.lost.prepared, 1u);
    EXPECT_EQ(result.lost.first_commit_time, 200);
    EXPECT_EQ(result.lost.last_commit_time, 400);
    EXPECT_FALSE(result.untrusted);
}

TEST(WalScan, DoesNotTrustWhatItDoesNotKnow)
{
    struct Case {
        uint8_t resource_manager, info;
        bool trusted;
    };
    for (Case each : {Case{RM_HEAP_ID, XLR_SPECIAL_REL_UPDATE, false}, Case{RM_SMGR_ID, 0x30 | XLR_SPECIAL_REL_UPDATE, false},
                      Case{RM_DBASE_ID, 0x30 | XLR_SPECIAL_REL_UPDATE, false},
                      Case{RM_XACT_ID, XLOG_XACT_PREPARE | XLR_SPECIAL_REL_UPDATE, false}, Case{RM_MAX_BUILTIN_ID + 1, 0, false},
                      Case{127, 0, false}, Case{128, 0, true}, Case{255, 0x70, true}, Case{200, XLR_SPECIAL_REL_UPDATE, false},
                      Case{RM_MAX_BUILTIN_ID, 0, true}}) {
        TestWal wal;
        TestRecord record = touching(7);
        record.resource_manager = each.resource_manager;
        record.info = each.info;
        record.main_data = bytes_of(int64_t{1});
        Lsn start = wal.append(record);
        wal.append(touching(8));
        WalScanResult result = scan_wal(wal, options_for(wal, start, start));
        EXPECT_EQ(!result.untrusted, each.trusted) << int(each.resource_manager) << " " << int(each.info);
        if (!each.trusted) {
            EXPECT_NE(result.untrusted->find("0/1000028"), std::string::npos) << *result.untrusted;
        }
        EXPECT_EQ(blocks_of(result), (std::vector<uint32_t>{7, 8})); // block references are read all the same
        EXPECT_FALSE(scan_wal(wal, options_for(wal, start, Lsn{0x2000000})).untrusted); // common: replay covers it
    }
}

TEST(WalScan, RefusesARecordThatIsTooShortForItsKind)
{
    TestWal wal;
    Lsn start = wal.append({.resource_manager = RM_SMGR_ID, .info = XLOG_SMGR_TRUNCATE, .main_data = "1234"});
    EXPECT_THROW(scan_wal(wal, options_for(wal, start, start)), Error);
}

} // namespace
} // namespace failback
