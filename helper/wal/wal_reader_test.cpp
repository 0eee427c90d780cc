#include "helper/wal/wal_reader.h"

#include "helper/wal/test_read.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace failback {
namespace {

using test::origin_of;
using test::read_all;
using test::TestWal;

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
