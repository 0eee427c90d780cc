// Where scan_wal() ends, and by which way it gets there.
#include "helper/wal/test_scan.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using test::blocks_of;
using test::options_for;
using test::TestWal;
using test::touching;

TEST(WalScanEnd, ReadsUpToAKnownEnd)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    wal.append_sized(wal.room_in_page()); // ends with its page
    Lsn end = wal.end();
    wal.append(touching(2));
    WalScanOptions options = options_for(wal, start, start);
    for (Lsn known_end : {end, end + SizeOfXLogShortPHD}) {
        options.known_end = known_end;
        WalScanResult result = scan_wal(wal, options);
        EXPECT_EQ(result.end_of_wal, end);
        EXPECT_EQ(blocks_of(result), std::vector<uint32_t>{1});
    }
}

TEST(WalScanEnd, ReportsAGapBeforeTheKnownEnd)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    Lsn damaged = wal.append(touching(2));
    wal.append_sized(wal.room_in_page() + 5000);
    WalScanOptions options = options_for(wal, start, start);
    options.known_end = wal.end();
    EXPECT_NO_THROW(scan_wal(wal, options));
    *(wal.at(damaged) + 30) ^= 1;
    try {
        scan_wal(wal, options);
        FAIL() << "no error";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::data_corrupted);
        EXPECT_NE(std::string(error.what()).find(damaged.text()), std::string::npos) << error.what();
        EXPECT_NE(error.detail().find("000000010000000000000100"), std::string::npos) << error.detail();
    }
    options.known_end = {};
    EXPECT_EQ(scan_wal(wal, options).end_of_wal, damaged); // a crash: this is where WAL ends
    options.at_least = damaged;
    EXPECT_NO_THROW(scan_wal(wal, options));
    options.at_least = damaged + 8;
    EXPECT_THROW(scan_wal(wal, options), Error);
    // But it goes on.
    options.at_least = {};
    PresentSegments present{{"000000010000000000000100"}, [](const std::string &, std::span<unsigned char>) { return false; }};
    options.present = &present;
    try {
        scan_wal(wal, options);
        FAIL() << "no error";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::data_corrupted);
        EXPECT_NE(std::string(error.what()).find(damaged.text() + ", it goes on at 0/1002000"), std::string::npos) << error.what();
    }
}

TEST(WalScanEnd, ReportsAMissingSegment)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    wal.append_switch();
    wal.append(touching(2));
    WalScanOptions options = options_for(wal, start, start);
    options.known_end = wal.end();
    wal.remove_segment(1, wal.last());
    try {
        scan_wal(wal, options);
        FAIL() << "no error";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::undefined_file);
        EXPECT_NE(error.detail().find("000000010000000000000101"), std::string::npos) << error.detail();
    }
    options.known_end = {};
    EXPECT_EQ(scan_wal(wal, options).end_of_wal.value, 0x1010000u);
    wal.remove_segment(1, start);
    EXPECT_THROW(scan_wal(wal, options), Error); // not even the first record
}

TEST(WalScanEnd, FollowsTheHistory)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    wal.begin_timeline(2);
    Lsn divergence = wal.next_start();
    wal.append(touching(2));
    wal.append_sized(100000);
    wal.begin_timeline(3);
    wal.append(touching(3));
    EXPECT_EQ(blocks_of(scan_wal(wal, options_for(wal, start, divergence))), (std::vector<uint32_t>{2, 3}));
}

TEST(WalScanEnd, TellsProgressAndCanBeCancelled)
{
    TestWal wal;
    Lsn start = wal.append(touching(1));
    for (int i = 0; i < 40; ++i)
        wal.append_sized(10000);
    int calls = 0;
    WalScanOptions options = options_for(wal, start, start);
    options.progress = [&](Lsn at) {
        ++calls;
        EXPECT_LE(at, wal.end());
    };
    scan_wal(wal, options);
    EXPECT_EQ(calls, 6); // 400 kB in segments of 64 kB
    options.progress = [&](Lsn) { throw Error(ErrorCode::internal, "cancelled"); };
    EXPECT_THROW(scan_wal(wal, options), Error);
}

} // namespace
} // namespace failback
