#include "helper/wal/wal_beyond.h"

#include "helper/wal/test_scan.h"
#include "helper/wal/wal_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace failback {
namespace {

using test::TestWal;
using test::touching;

class WalBeyond : public testing::Test {
protected:
    // Where reading from `start_` on comes to an end, and what is found after it.
    std::optional<Lsn> beyond(std::set<std::string> names = {})
    {
        WalOrigin origin{&wal.history(), wal.segment_size(), TestWal::system_identifier};
        WalReader reader(wal, origin);
        reader.seek(start);
        WalRecord record;
        while (reader.next(record))
            continue;
        end = reader.position();
        if (names.empty())
            for (uint64_t segno = 0x100; segno < 0x110; segno++)
                names.insert(wal_segment_name(wal.history().current(), segno, wal.segment_size()));
        PresentSegments present;
        present.names = std::move(names);
        present.read_start = [this](const std::string &name, std::span<unsigned char> bytes) {
            auto segment = wal.open(TimelineId{static_cast<uint32_t>(std::stoul(name.substr(0, 8), nullptr, 16))},
                                    std::stoul(name.substr(16), nullptr, 16));
            if (segment)
                std::ranges::copy(segment->bytes(0, bytes.size()), bytes.begin());
            return segment != nullptr;
        };
        return find_wal_beyond(wal, origin, end, present, {});
    }

    Lsn segment_of(Lsn lsn) const { return Lsn{lsn.value - lsn.value % wal.segment_size()}; }
    static Lsn page_of(Lsn lsn) { return Lsn{lsn.value & ~uint64_t{8191}}; }

    TestWal wal;
    Lsn start = wal.append(touching(1));
    Lsn end;
};

TEST_F(WalBeyond, NothingAfterTheEnd)
{
    for (int i = 0; i < 20; i++) {
        wal.append_sized(3000);
        EXPECT_FALSE(beyond()) << wal.end().text();
        EXPECT_EQ(end, wal.end());
    }
    wal.append_sized(wal.room_in_page()); // ends with its page
    EXPECT_FALSE(beyond());
    wal.append_switch();
    EXPECT_FALSE(beyond());
}

TEST_F(WalBeyond, AWrongBitAnywhere)
{
    for (int i = 0; i < 40; i++)
        wal.append_sized(3000);
    for (uint64_t at = start.value; at < page_of(wal.end()).value - 8192; at += 1231) {
        *wal.at(Lsn{at}) ^= 16;
        auto found = beyond();
        bool padding = end == wal.end(); // between two records, or in a field that says nothing
        EXPECT_TRUE(found || padding) << Lsn{at}.text();
        if (found) {
            EXPECT_GT(*found, Lsn{end.value - 1});
        }
        *wal.at(Lsn{at}) ^= 16;
    }
    EXPECT_FALSE(beyond());
}

// A record's length that leads anywhere: the pages after it do not continue it.
TEST_F(WalBeyond, AWrongLength)
{
    Lsn damaged = wal.append(touching(2));
    for (int i = 0; i < 10; i++)
        wal.append_sized(3000);
    for (uint32_t length : {0u, 10u, 100u, 5000u, 20000u, 0xffffffffu}) {
        wal.put(damaged, &length, sizeof length);
        EXPECT_TRUE(beyond()) << length;
        EXPECT_EQ(end, damaged);
    }
}

TEST_F(WalBeyond, TheFirstPagesOfARecordThatWasNotWritten)
{
    for (uint32_t pages = 1; pages < 20; pages++) {
        TestWal whole;
        start = whole.append(touching(1));
        Lsn torn = whole.append_sized(200000);
        // What comes after so many pages is what was there before.
        Lsn gap = page_of(torn) + uint64_t{pages} * 8192;
        for (Lsn page = gap; page < whole.end(); page = page + 8192)
            std::memset(whole.at(page), 0, 8192);
        wal = whole;
        EXPECT_FALSE(beyond()) << pages;
        EXPECT_EQ(end, torn);
        // The server goes on there, and this page was not written.
        if (gap + 8192 < wal.end()) {
            std::memcpy(wal.at(gap + 8192), TestWal(whole).at(page_of(torn)), 8192);
            EXPECT_FALSE(beyond()) << "a page of another place";
        }
    }
}

// The reader takes it for one that is empty, or left over from earlier.
TEST_F(WalBeyond, TheFirstPageOfTheLastSegment)
{
    for (bool crossing : {false, true}) {
        TestWal whole;
        start = whole.append(touching(1));
        if (crossing)
            whole.append_sized(70000); // into the next segment
        else
            whole.append_switch();
        Lsn last = segment_of(whole.append(touching(2)));
        for (int i = 0; i < 5; i++)
            whole.append_sized(5000);
        for (int damage = 0; damage < 3; damage++) {
            wal = whole;
            if (damage == 0)
                std::memset(wal.at(last), 0, 8192);
            else if (damage == 1)
                wal.at(last)[2] ^= XLP_LONG_HEADER;
            else
                wal.at(last)[9] ^= 1; // xlp_pageaddr
            EXPECT_TRUE(beyond()) << crossing << damage;
        }
    }
}

TEST_F(WalBeyond, APageThatContinuesNothing)
{
    wal.append_sized(wal.room_in_page());
    Lsn next = wal.end();
    wal.append(touching(2));
    wal.at(next)[2] |= XLP_FIRST_IS_CONTRECORD;
    EXPECT_EQ(beyond(), next);
}

TEST_F(WalBeyond, AMissingSegment)
{
    wal.append_switch();
    Lsn second = wal.append(touching(2));
    wal.append_switch();
    Lsn third = wal.append(touching(3));
    wal.remove_segment(1, second);
    EXPECT_EQ(beyond(), page_of(third));
    EXPECT_FALSE(beyond({"000000010000000000000100"}));
    EXPECT_FALSE(beyond({"000000010000000000000100", "000000020000000000000102", "odd", "00000001000000000000010x"}));
}

TEST_F(WalBeyond, SegmentsOfOtherPlacesAndTimelines)
{
    wal.append_switch();
    Lsn next = wal.end();
    // Recycled: the content of an earlier place under the name of a later one.
    std::memcpy(wal.at(next), wal.at(segment_of(start)), wal.segment_size());
    EXPECT_FALSE(beyond());
    TestWal longer;
    start = longer.append(touching(1));
    Lsn parted = longer.end();
    longer.append_switch();
    longer.append(touching(2));
    wal = longer;
    EXPECT_FALSE(beyond());
    // Of the old timeline, after a promotion.
    TestWal promoted;
    start = promoted.append(touching(1));
    promoted.begin_timeline(2);
    promoted.append(touching(2));
    Lsn second = segment_of(parted) + wal.segment_size();
    std::memcpy(promoted.at(second, 1), longer.at(second), longer.segment_size());
    wal = promoted;
    EXPECT_FALSE(beyond());
}

} // namespace
} // namespace failback
