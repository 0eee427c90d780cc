#include "helper/wal/wal_pages.h"

#include "helper/wal/test_read.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::read_all;
using test::TestWal;

TEST(WalPages, StopsAtARecycledPage)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_sized(wal.room_in_page());
    Lsn third = wal.append_sized(90); // the only one in the second page
    uint64_t stale = 0x900000;
    std::memcpy(wal.at(Lsn{0x1002000}) + offsetof(XLogPageHeaderData, xlp_pageaddr), &stale, sizeof(stale));
    std::string why;
    EXPECT_EQ(read_all(wal, first, &why).size(), 2u);
    EXPECT_EQ(why, "the page at 0/1002000 says that it is that of 0/900000");
    EXPECT_TRUE(read_all(wal, third).empty());
}

TEST(WalPages, StopsAtAPageOfAnotherTimeline)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_sized(9000);
    uint32_t timeline = 2;
    std::memcpy(wal.at(Lsn{0x1002000}) + offsetof(XLogPageHeaderData, xlp_tli), &timeline, sizeof(timeline));
    EXPECT_EQ(read_all(wal, first), std::vector<Lsn>{first});
}

TEST(WalPages, StopsAtARecycledOrEmptyOrMissingSegment)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_switch();
    Lsn second_segment{0x1010000};
    std::string why;
    EXPECT_EQ(read_all(wal, first, &why).size(), 2u);
    EXPECT_EQ(why, "the WAL segment is missing");
    wal.at(second_segment); // makes an empty one
    EXPECT_EQ(read_all(wal, first, &why).size(), 2u);
    EXPECT_EQ(why, "the WAL segment is empty");
    wal.append_sized(90);
    EXPECT_EQ(read_all(wal, first, &why).size(), 3u);
    uint64_t stale = 0x900000;
    std::memcpy(wal.at(second_segment) + offsetof(XLogPageHeaderData, xlp_pageaddr), &stale, sizeof(stale));
    EXPECT_EQ(read_all(wal, first, &why).size(), 2u);
    EXPECT_EQ(why, "the WAL segment starts with the page of 0/900000");
}

TEST(WalPages, GoesOnInTheNextSegmentAfterASwitch)
{
    TestWal wal;
    std::vector<Lsn> written{wal.append_sized(90), wal.append_switch(), wal.append_sized(90)};
    // A switch record that fills its segment exactly ends there, not one segment later.
    while (wal.room_in_page() != 24 || wal.next_start().value % 65536 < 65536 - 24)
        written.push_back(wal.append_sized(wal.room_in_page() > 1000 ? wal.room_in_page() - 24 : 48));
    written.push_back(wal.append_switch());
    written.push_back(wal.append_sized(90));
    EXPECT_EQ(read_all(wal, written.front()), written);
    EXPECT_EQ(written.back().value, 0x1020000u + SizeOfXLogLongPHD);
}

TEST(WalPages, FollowsTimelineSwitchesInsideASegment)
{
    TestWal wal;
    std::vector<Lsn> written{wal.append_sized(90)};
    wal.begin_timeline(2);
    written.push_back(wal.append_sized(90));
    wal.begin_timeline(5);
    written.push_back(wal.append_sized(9000));
    written.push_back(wal.append_sized(70000));
    // The first timeline went on, too, in its own copy of the segment.
    *wal.at(written[1], 1) = 0x7F;
    EXPECT_EQ(read_all(wal, written.front()), written);
}

TEST(WalPages, FollowsATimelineSwitchOnASegmentBorder)
{
    TestWal wal;
    std::vector<Lsn> written{wal.append_sized(90), wal.append_switch()};
    wal.begin_timeline(2);
    written.push_back(wal.append_sized(90));
    EXPECT_EQ(read_all(wal, written.front()), written);
}

TEST(WalPages, DoesNotReadTheOldTimelinePastItsEnd)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    Lsn fork = wal.append_sized(90); // on timeline 1
    TestWal other = wal;
    // Timeline 2 forks off before the second record, and its copy of the segment is not there.
    TimelineHistory history{{{TimelineId{1}, Lsn{}, fork}, {TimelineId{2}, fork, Lsn{}}}};
    WalReader reader(wal, {&history, wal.segment_size(), TestWal::system_identifier});
    reader.seek(first);
    WalRecord record;
    EXPECT_TRUE(reader.next(record));
    EXPECT_FALSE(reader.next(record));
    EXPECT_EQ(reader.failure().reason, "the record crosses the end of its timeline");
}

template <class Change> Error error_of(TestWal &wal, Change change)
{
    Lsn first = wal.append_sized(90);
    XLogLongPageHeaderData header;
    std::memcpy(&header, wal.at(Lsn{0x1000000}), sizeof(header));
    change(header);
    wal.put(Lsn{0x1000000}, &header, sizeof(header));
    try {
        read_all(wal, first);
    } catch (const Error &error) {
        return error;
    }
    return Error(ErrorCode::internal, "no error");
}

TEST(WalPages, RefusesWalThatIsNotOfThisCluster)
{
    TestWal magic, system, segment, page, odd_page;
    EXPECT_STREQ(error_of(magic, [](auto &header) { header.std.xlp_magic = 0xD001; }).what(),
                 "unknown WAL page magic D001 in WAL segment \"000000010000000000000100\"");
    EXPECT_STREQ(error_of(system, [](auto &header) { header.xlp_sysid = 42; }).what(),
                 "WAL segment \"000000010000000000000100\" is from another cluster");
    EXPECT_STREQ(error_of(segment, [](auto &header) { header.xlp_seg_size *= 2; }).what(),
                 "WAL segment \"000000010000000000000100\" is of another segment size");
    EXPECT_STREQ(error_of(odd_page, [](auto &header) { header.xlp_xlog_blcksz = 5000; }).what(),
                 "WAL segment \"000000010000000000000100\" is of another page size");
    // Another valid page size, but not that of the segment before.
    Lsn first = page.append_sized(90);
    page.append_sized(70000);
    uint32_t size = 4096;
    std::memcpy(page.at(Lsn{0x1010000}) + offsetof(XLogLongPageHeaderData, xlp_xlog_blcksz), &size, sizeof(size));
    EXPECT_THROW(read_all(page, first), Error);
}

} // namespace
} // namespace failback
