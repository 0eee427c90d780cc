#include "helper/wal/wal_scan.h"

#include "helper/wal/test_wal.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::TestWal;

Checkpoint find(TestWal &wal, Lsn before)
{
    return find_last_checkpoint(wal, wal.history(), wal.segment_size(), TestWal::system_identifier, before);
}

TEST(FindCheckpoint, FindsTheLastOneThatStartsBefore)
{
    TestWal wal;
    wal.append_sized(90);
    Lsn first = wal.append_checkpoint({}, true);
    wal.append_sized(90);
    Lsn redo = wal.append_sized(5000);
    wal.append_sized(200000);
    Lsn second = wal.append_checkpoint(redo, false, false);
    Lsn after = wal.append_sized(90);

    Checkpoint found = find(wal, after);
    EXPECT_EQ(found.record, second);
    EXPECT_EQ(found.redo, redo);
    EXPECT_EQ(found.timeline, TimelineId{1});
    EXPECT_FALSE(found.shutdown);
    EXPECT_FALSE(found.full_page_writes);

    found = find(wal, second);
    EXPECT_EQ(found.record, first);
    EXPECT_EQ(found.redo, first);
    EXPECT_TRUE(found.shutdown);
    EXPECT_TRUE(found.full_page_writes);
}

TEST(FindCheckpoint, ReadsAByteThatIsNoBoolAsOn)
{
    TestWal wal;
    Lsn checkpoint = wal.append_checkpoint({}, true, false);
    // After the record's header, and the two bytes before its data.
    *wal.at(checkpoint + SizeOfXLogRecord + 2 + offsetof(CheckPoint, fullPageWrites)) = 0xFE;
    wal.seal(checkpoint);
    wal.append_sized(90);
    EXPECT_TRUE(find(wal, wal.end()).full_page_writes);
}

TEST(FindCheckpoint, LeavesOutACheckpointThatEndsAfterTheDivergence)
{
    TestWal wal;
    Lsn first = wal.append_checkpoint({});
    Lsn second = wal.append_checkpoint({});
    wal.append_sized(90);
    EXPECT_EQ(find(wal, second + 16).record, first);
}

TEST(FindCheckpoint, WorksAtTheEndOfWal)
{
    TestWal wal;
    wal.append_sized(90);
    Lsn checkpoint = wal.append_checkpoint({});
    EXPECT_EQ(find(wal, wal.end()).record, checkpoint);
    // The end of WAL at a page's end, given as it is and with the next page's header skipped.
    wal.append_sized(wal.room_in_page());
    Lsn end = wal.end();
    EXPECT_EQ(end.value % wal.page_size(), 0u);
    EXPECT_EQ(find(wal, end).record, checkpoint);
    EXPECT_EQ(find(wal, end + SizeOfXLogShortPHD).record, checkpoint);
    // And behind a WAL switch, with no segment to follow.
    wal.append_switch();
    EXPECT_EQ(find(wal, wal.end()).record, checkpoint);
    EXPECT_EQ(find(wal, wal.end() + SizeOfXLogLongPHD).record, checkpoint);
}

TEST(FindCheckpoint, GoesBackOverTimelinesSegmentsAndRecordsThatWereGivenUp)
{
    TestWal wal;
    Lsn checkpoint = wal.append_checkpoint({});
    wal.append_sized(90);
    wal.begin_timeline(2);
    wal.append_sized(70000);
    wal.append_switch();
    wal.append_sized(90);
    Lsn torn = wal.append_torn(30000);
    wal.append_overwrite(torn);
    wal.begin_timeline(4);
    wal.append_sized(140000);
    Lsn before = wal.append_sized(90);
    EXPECT_EQ(find(wal, before).record, checkpoint);
    EXPECT_EQ(find(wal, before).timeline, TimelineId{1});
}

TEST(FindCheckpoint, ChecksTheCheckpointRecord)
{
    TestWal wal;
    Lsn checkpoint = wal.append_checkpoint({});
    wal.append_sized(90);
    Lsn before = wal.append_sized(90);
    *(wal.at(checkpoint) + 30) ^= 1;
    EXPECT_THROW(find(wal, before), Error);
}

TEST(FindCheckpoint, ReportsMissingWal)
{
    TestWal wal;
    Lsn checkpoint = wal.append_checkpoint({});
    for (int i = 0; i < 20; ++i)
        wal.append_sized(10000);
    Lsn before = wal.append_sized(90);
    EXPECT_EQ(find(wal, before).record, checkpoint);
    wal.remove_segment(1, Lsn{0x1010000});
    try {
        find(wal, before);
        FAIL() << "no error";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::undefined_file);
        EXPECT_NE(error.detail().find("000000010000000000000101"), std::string::npos) << error.detail();
    }
}

TEST(FindCheckpoint, ReportsThatThereIsNone)
{
    TestWal wal;
    wal.append_sized(90);
    Lsn before = wal.append_sized(90);
    try {
        find(wal, before);
        FAIL() << "no error";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
    }
}

} // namespace
} // namespace failback
