#include "helper/wal/wal_reader.h"

#include "helper/wal/test_wal.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::TestWal;

WalOrigin origin_of(const TestWal &wal)
{
    return {&wal.history(), wal.segment_size(), TestWal::system_identifier};
}

// The starts of all records that are read from `start`; `why` gets the reason for the end.
std::vector<Lsn> read_all(TestWal &wal, Lsn start, std::string *why = nullptr)
{
    WalReader reader(wal, origin_of(wal));
    reader.seek(start);
    std::vector<Lsn> starts;
    WalRecord record;
    while (reader.next(record)) {
        starts.push_back(record.start);
        size_t bytes = 0;
        for (const auto &piece : record.pieces)
            bytes += piece.size();
        EXPECT_EQ(bytes, record.total_length);
    }
    if (why)
        *why = reader.failure().reason;
    return starts;
}

TEST(WalReader, ReadsSmallRecordsToTheZerosBehindThem)
{
    TestWal wal;
    std::vector<Lsn> written;
    for (uint32_t size = 40; size < 140; ++size)
        written.push_back(wal.append_sized(size));
    std::string why;
    EXPECT_EQ(read_all(wal, written.front(), &why), written);
    EXPECT_EQ(why, "the record's length is 0");
}

TEST(WalReader, TakesTheStartOfASegmentForItsFirstRecord)
{
    TestWal wal;
    Lsn first = wal.append_sized(50);
    EXPECT_EQ(read_all(wal, Lsn{0x1000000}), std::vector<Lsn>{first});
    EXPECT_EQ(first.value, 0x1000000u + SizeOfXLogLongPHD);
}

// Every way a record can lie on the border of a page: header split at each multiple of 8, exact fit, and so on.
TEST(WalReader, ReadsRecordsAcrossPages)
{
    for (uint32_t left = 0; left <= 64; left += 8) {
        for (uint32_t size : {24u + 2u, 40u, 64u, 300u, 9000u, 20000u}) {
            TestWal wal;
            std::vector<Lsn> written{wal.append_sized(wal.room_in_page() - left)};
            written.push_back(wal.append_sized(size));
            written.push_back(wal.append_sized(77));
            EXPECT_EQ(read_all(wal, written.front()), written) << left << " " << size;
        }
    }
}

TEST(WalReader, ReadsRecordsAcrossSegments)
{
    TestWal wal;
    std::vector<Lsn> written;
    for (int i = 0; i < 3; ++i)
        written.push_back(wal.append_sized(50000 + i));
    written.push_back(wal.append_sized(300000)); // crosses whole segments
    written.push_back(wal.append_sized(40));
    EXPECT_EQ(read_all(wal, written.front()), written);
}

TEST(WalReader, ReadsWalWithOtherPageSizes)
{
    for (uint32_t page_size : {1024u, 4096u, 16384u, 65536u}) {
        TestWal wal(1 << 20, page_size);
        std::vector<Lsn> written;
        for (uint32_t i = 0; i < 300; ++i)
            written.push_back(wal.append_sized(40 + i * 97 % 9000));
        EXPECT_EQ(read_all(wal, written.front()), written) << page_size;
    }
}

TEST(WalReader, KeepsTheBytesOfARecordThatSpansSegments)
{
    TestWal wal;
    Lsn start = wal.append({.main_data = std::string(200000, 'x')});
    WalReader reader(wal, origin_of(wal));
    reader.seek(start);
    WalRecord record;
    ASSERT_TRUE(reader.next(record));
    DecodedRecord decoded;
    decode_record(record, decoded);
    std::vector<unsigned char> space;
    std::span<const unsigned char> data = main_data(record, decoded, space);
    EXPECT_EQ(std::string(data.begin(), data.end()), std::string(200000, 'x'));
}

TEST(WalReader, StopsAtADamagedRecord)
{
    for (size_t offset : {4u, 16u, 17u, 20u, 26u, 60u}) { // xid, info, rmgr, crc, data
        TestWal wal;
        Lsn first = wal.append_sized(90);
        Lsn second = wal.append_sized(90);
        wal.append_sized(90);
        *(wal.at(second) + offset) ^= 0x40;
        std::string why;
        EXPECT_EQ(read_all(wal, first, &why), std::vector<Lsn>{first}) << offset;
        EXPECT_EQ(why, "the record's checksum does not match its content") << offset;
    }
}

TEST(WalReader, StopsAtDamageInTheContinuedPart)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_sized(20000);
    *wal.at(Lsn{0x1004000 + 500}) ^= 1;
    EXPECT_EQ(read_all(wal, first), std::vector<Lsn>{first});
}

TEST(WalReader, StopsAtARecordWithAnotherPredecessor)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    Lsn second = wal.append_sized(90);
    uint64_t wrong = first.value - 8;
    std::memcpy(wal.at(second) + offsetof(XLogRecord, xl_prev), &wrong, sizeof(wrong));
    wal.seal(second);
    std::string why;
    EXPECT_EQ(read_all(wal, first, &why), std::vector<Lsn>{first});
    EXPECT_EQ(why, "the record names 0/1000020 as the one before");
    EXPECT_EQ(read_all(wal, second), std::vector<Lsn>{second}); // where the reading starts, it is plausible
}

TEST(WalReader, DoesNotFollowALengthThatNoPageConfirms)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    Lsn second = wal.append_sized(90);
    wal.append_sized(9000);
    uint32_t huge = 1000000000;
    wal.put(second, &huge, sizeof(huge));
    std::string why;
    EXPECT_EQ(read_all(wal, first, &why), std::vector<Lsn>{first});
    EXPECT_EQ(why, "the page at 0/1002000 does not continue the record");
}

TEST(WalReader, StopsAtARecycledPage)
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

TEST(WalReader, StopsAtAPageOfAnotherTimeline)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_sized(9000);
    uint32_t timeline = 2;
    std::memcpy(wal.at(Lsn{0x1002000}) + offsetof(XLogPageHeaderData, xlp_tli), &timeline, sizeof(timeline));
    EXPECT_EQ(read_all(wal, first), std::vector<Lsn>{first});
}

TEST(WalReader, StopsAtARecycledOrEmptyOrMissingSegment)
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

TEST(WalReader, GoesOnInTheNextSegmentAfterASwitch)
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

TEST(WalReader, ReadsOnWhereARecordWasGivenUp)
{
    TestWal wal;
    std::vector<Lsn> written{wal.append_sized(90)};
    Lsn torn = wal.append_torn(20000);
    written.push_back(wal.append_overwrite(torn));
    written.push_back(wal.append_sized(90));
    EXPECT_EQ(read_all(wal, written.front()), written);
}

TEST(WalReader, WantsTheRecordThatSaysThatOneWasGivenUp)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    Lsn torn = wal.append_torn(20000);
    Lsn overwrite = wal.append_overwrite(torn);
    *(wal.at(overwrite) + offsetof(XLogRecord, xl_info)) = XLOG_NOOP;
    wal.seal(overwrite);
    EXPECT_EQ(read_all(wal, first), std::vector<Lsn>{first});
}

TEST(WalReader, StopsWhereTheRestOfARecordIsMissing)
{
    TestWal wal;
    Lsn first = wal.append_sized(90);
    wal.append_torn(20000);
    std::string why;
    EXPECT_EQ(read_all(wal, first, &why), std::vector<Lsn>{first});
    EXPECT_EQ(why, "the page at 0/1002000 has magic 0000");
}

TEST(WalReader, FollowsTimelineSwitchesInsideASegment)
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

TEST(WalReader, FollowsATimelineSwitchOnASegmentBorder)
{
    TestWal wal;
    std::vector<Lsn> written{wal.append_sized(90), wal.append_switch()};
    wal.begin_timeline(2);
    written.push_back(wal.append_sized(90));
    EXPECT_EQ(read_all(wal, written.front()), written);
}

TEST(WalReader, DoesNotReadTheOldTimelinePastItsEnd)
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

TEST(WalReader, RefusesWalThatIsNotOfThisCluster)
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

TEST(WalReader, FindsARecordBeforeAnyPosition)
{
    TestWal wal;
    std::vector<Lsn> written;
    for (uint32_t size : {90u, 9000u, 40u, 140000u, 40u})
        written.push_back(wal.append_sized(size));
    written.push_back(wal.append_switch());
    written.push_back(wal.append_sized(90));
    for (size_t i = 1; i < written.size(); ++i) {
        for (Lsn before : {written[i], Lsn{written[i].value - 8}}) {
            WalReader reader(wal, origin_of(wal));
            reader.seek_before(before);
            Lsn found = reader.position();
            EXPECT_LT(found, before);
            EXPECT_TRUE(std::find(written.begin(), written.end(), found) != written.end()) << found.text();
        }
    }
    WalReader reader(wal, origin_of(wal));
    EXPECT_THROW(reader.seek_before(written.front()), Error);
}

TEST(WalReader, ReadsHeadersThatCrossAPage)
{
    for (uint32_t left : {8u, 16u, 24u}) {
        TestWal wal;
        wal.append_sized(wal.room_in_page() - left);
        Lsn last = wal.last();
        Lsn split = wal.append_sized(90);
        WalReader reader(wal, origin_of(wal));
        WalRecord record;
        ASSERT_TRUE(reader.read_header(split, record));
        EXPECT_EQ(record.previous, last);
        EXPECT_EQ(record.total_length, 90u);
        EXPECT_FALSE(reader.read_header(Lsn{split.value + 4}, record));
    }
}

} // namespace
} // namespace failback
