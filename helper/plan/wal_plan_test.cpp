#include "helper/plan/wal_plan.h"

#include "common/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace failback {
namespace {

constexpr uint32_t segment_size = 16 * 1024 * 1024;

TimelineHistory history(std::vector<uint64_t> switches)
{
    TimelineHistory result;
    Lsn begin;
    uint32_t timeline = 1;
    for (uint64_t at : switches) {
        result.entries.push_back({TimelineId{timeline++}, begin, Lsn{at}});
        begin = Lsn{at};
    }
    result.entries.push_back({TimelineId{timeline}, begin, Lsn{}});
    return result;
}

FileEntry wal_file(std::string path, int64_t size = segment_size)
{
    FileEntry entry;
    entry.path = std::move(path);
    entry.size = size;
    return entry;
}

std::string segment(uint32_t timeline, uint32_t number)
{
    return format("%08X%08X%08X", timeline, 0, number);
}

class WalPlanTest : public testing::Test {
protected:
    WalPlanTest()
    {
        input.target = &target;
        input.source_history = &source_history;
        input.segment_size = segment_size;
        input.start = Lsn{0x2000028};
        input.divergence = Lsn{0x4800000};
        input.end = Lsn{0x6000100};
    }

    // path => "remove", or the bytes fetched ("fetch N") or, with nothing to fetch, "create"
    std::map<std::string, std::string> plan()
    {
        std::sort(target.begin(), target.end(), [](auto &a, auto &b) { return a.path < b.path; });
        std::map<std::string, std::string> result;
        for (const FileAction &action : plan_wal(input)) {
            std::string what = "remove";
            if (action.kind == FileActionKind::replace)
                what = action.fetch.empty() ? "create" : "fetch " + std::to_string(action.fetch[0].length);
            EXPECT_TRUE(result.emplace(action.path, what).second) << action.path << " twice";
        }
        return result;
    }

    std::vector<FileEntry> target;
    TimelineHistory source_history = history({0x4800000});
    WalPlanInput input;
};

TEST_F(WalPlanTest, CommonSegmentsStayAndTheOthersAreFetched)
{
    for (uint32_t number : {2u, 3u, 4u, 5u})
        target.push_back(wal_file("pg_wal/" + segment(1, number)));
    std::string all = "fetch " + std::to_string(segment_size);
    EXPECT_EQ(plan(), (std::map<std::string, std::string>{
                          {"pg_wal/" + segment(2, 4), all},
                          {"pg_wal/archive_status/" + segment(2, 4) + ".done", "create"},
                          {"pg_wal/" + segment(2, 5), all},
                          {"pg_wal/archive_status/" + segment(2, 5) + ".done", "create"},
                          {"pg_wal/" + segment(2, 6), "fetch 256"}, // incomplete: not archived
                          {"pg_wal/" + segment(1, 4), "remove"},    // the switch is in it: its content differs
                          {"pg_wal/" + segment(1, 5), "remove"},
                      }));
    EXPECT_EQ(first_wal_from_source(input), Lsn{0x4000000});
}

TEST_F(WalPlanTest, FetchedSegmentsAreWholeFilesOfSegmentSize)
{
    for (const FileAction &action : plan_wal(input)) {
        if (action.fetch.empty())
            continue;
        EXPECT_EQ(action.staging, StagingKind::whole_file);
        EXPECT_EQ(action.size, segment_size);
        EXPECT_FALSE(action.relation); // no replay repairs it
    }
}

TEST_F(WalPlanTest, WhatLiesInStagingAlreadyIsNotFetched)
{
    // From the archive; only common segments can be.
    target = {wal_file("pg_wal/" + segment(1, 2))};
    input.staged = {segment(1, 3), segment(2, 5)};
    auto actions = plan();
    EXPECT_EQ(actions["pg_wal/" + segment(1, 3)], "create") << "renamed from staging";
    EXPECT_EQ(actions["pg_wal/archive_status/" + segment(1, 3) + ".done"], "create");
    EXPECT_EQ(actions["pg_wal/" + segment(2, 5)], "fetch " + std::to_string(segment_size));
    EXPECT_EQ(first_wal_from_source(input), Lsn{0x4000000});
}

TEST_F(WalPlanTest, AGapInTheTargetsOwnSegmentsIsFilled)
{
    target = {wal_file("pg_wal/" + segment(1, 3))};
    auto actions = plan();
    EXPECT_EQ(actions.count("pg_wal/" + segment(1, 2)), 1u);
    EXPECT_EQ(actions.count("pg_wal/" + segment(1, 3)), 0u);
    EXPECT_EQ(first_wal_from_source(input), input.start);
}

TEST_F(WalPlanTest, ASegmentOfTheWrongSizeOrKindIsNotKept)
{
    target = {wal_file("pg_wal/" + segment(1, 2), segment_size - 1), wal_file("pg_wal/" + segment(1, 3))};
    target[1].kind = FileKind::directory;
    auto actions = plan();
    EXPECT_EQ(actions["pg_wal/" + segment(1, 2)], "fetch " + std::to_string(segment_size));
    EXPECT_EQ(actions["pg_wal/" + segment(1, 3)], "fetch " + std::to_string(segment_size));
}

TEST_F(WalPlanTest, NothingIsKeptWithoutADivergence)
{
    input.divergence = Lsn{};
    target = {wal_file("pg_wal/" + segment(1, 2)), wal_file("pg_wal/" + segment(1, 3))};
    auto actions = plan();
    EXPECT_EQ(actions["pg_wal/" + segment(1, 2)], "fetch " + std::to_string(segment_size));
    EXPECT_EQ(actions["pg_wal/" + segment(1, 3)], "fetch " + std::to_string(segment_size));
    EXPECT_EQ(first_wal_from_source(input), input.start);
}

TEST_F(WalPlanTest, EverythingElseInPgWalGoesButHistories)
{
    target = {wal_file("pg_wal/" + segment(1, 1)), wal_file("pg_wal/" + segment(1, 9)), wal_file("pg_wal/00000002.history", 40),
              wal_file("pg_wal/" + segment(1, 4) + ".partial"), wal_file("pg_wal/xlogtemp.77"), wal_file("base/5/16384")};
    auto actions = plan();
    EXPECT_EQ(actions["pg_wal/" + segment(1, 1)], "remove");
    EXPECT_EQ(actions["pg_wal/" + segment(1, 9)], "remove");
    EXPECT_EQ(actions["pg_wal/" + segment(1, 4) + ".partial"], "remove");
    EXPECT_EQ(actions["pg_wal/xlogtemp.77"], "remove");
    EXPECT_EQ(actions.count("pg_wal/00000002.history"), 0u);
    EXPECT_EQ(actions.count("base/5/16384"), 0u);
}

TEST_F(WalPlanTest, ArchiveStatusStaysWithItsSegmentOnly)
{
    FileEntry status = wal_file("pg_wal/archive_status", 0);
    status.kind = FileKind::directory;
    target = {wal_file("pg_wal/" + segment(1, 2)), status, wal_file("pg_wal/archive_status/" + segment(1, 2) + ".done", 0),
              wal_file("pg_wal/archive_status/" + segment(1, 4) + ".ready", 0),
              wal_file("pg_wal/archive_status/" + segment(2, 4) + ".done", 0)};
    auto actions = plan();
    EXPECT_EQ(actions.count("pg_wal/archive_status"), 0u);
    EXPECT_EQ(actions.count("pg_wal/archive_status/" + segment(1, 2) + ".done"), 0u);
    EXPECT_EQ(actions["pg_wal/archive_status/" + segment(1, 4) + ".ready"], "remove");
    // Written anew: removing it as well would undo that when apply is repeated.
    EXPECT_EQ(actions["pg_wal/archive_status/" + segment(2, 4) + ".done"], "create");
}

TEST_F(WalPlanTest, AnEndAtASegmentsBeginNeedsNoByteOfIt)
{
    input.end = Lsn{0x6000000};
    auto actions = plan();
    EXPECT_EQ(actions.count("pg_wal/" + segment(2, 6)), 0u);
    EXPECT_EQ(actions.count("pg_wal/" + segment(2, 5)), 1u);
}

TEST_F(WalPlanTest, ADivergenceAtASegmentsBeginKeepsTheOneBefore)
{
    source_history = history({0x4000000});
    input.divergence = Lsn{0x4000000};
    target = {wal_file("pg_wal/" + segment(1, 2)), wal_file("pg_wal/" + segment(1, 3)), wal_file("pg_wal/" + segment(1, 4))};
    auto actions = plan();
    EXPECT_EQ(actions.count("pg_wal/" + segment(1, 3)), 0u);
    EXPECT_EQ(actions["pg_wal/" + segment(1, 4)], "remove");
    EXPECT_EQ(first_wal_from_source(input), Lsn{0x4000000});
}

TEST_F(WalPlanTest, AllThereNothingFromTheSource)
{
    input.divergence = Lsn{0x7000000};
    input.end = Lsn{0x4000000};
    source_history = history({});
    target = {wal_file("pg_wal/" + segment(1, 2)), wal_file("pg_wal/" + segment(1, 3))};
    EXPECT_TRUE(plan().empty());
    EXPECT_EQ(first_wal_from_source(input), input.end);
}

TEST(WalSegmentName, TheLastTimelineThatHasAnyOfIt)
{
    // Timeline 2 begins in the middle of segment 4, timeline 3 at the very begin of segment 6.
    TimelineHistory three = history({0x4800000, 0x6000000});
    Lsn far{0x9000000};
    EXPECT_EQ(wal_segment_name(three, 3, segment_size, far), segment(1, 3));
    EXPECT_EQ(wal_segment_name(three, 4, segment_size, far), segment(2, 4));
    EXPECT_EQ(wal_segment_name(three, 5, segment_size, far), segment(2, 5));
    EXPECT_EQ(wal_segment_name(three, 6, segment_size, far), segment(3, 6));
    // Read only up to the switch: timeline 2 has nothing of it yet.
    EXPECT_EQ(wal_segment_name(three, 4, segment_size, Lsn{0x4800000}), segment(1, 4));
}

TEST(WalSegmentName, NumbersCarryOverAtFourGigabytes)
{
    TimelineHistory one = history({});
    EXPECT_EQ(wal_segment_name(one, 255, segment_size, Lsn{UINT64_MAX}), "0000000100000000000000FF");
    EXPECT_EQ(wal_segment_name(one, 256, segment_size, Lsn{UINT64_MAX}), "000000010000000100000000");
    EXPECT_EQ(wal_segment_name(one, 5, 1024 * 1024 * 1024, Lsn{UINT64_MAX}), "000000010000000100000001");
}

TEST(WalOfLaterTimelines, IsToldByItsName)
{
    std::vector<FileEntry> target;
    for (const char *path : {"pg_wal/000000010000000000000009", "pg_wal/00000002.history", "pg_wal/000000020000000000000003",
                             "pg_wal/00000003.history", "pg_wal/000000030000000000000003", "pg_wal/000000030000000000000003.partial",
                             "pg_wal/FFFFFFFF.history", "pg_wal/archive_status/00000003.history.ready", "pg_wal/xlogtemp.33"})
        target.push_back(wal_file(path));
    EXPECT_EQ(wal_of_later_timelines(target, TimelineId{2}),
              (std::vector<std::string>{"pg_wal/00000003.history", "pg_wal/000000030000000000000003", "pg_wal/FFFFFFFF.history"}));
    EXPECT_TRUE(wal_of_later_timelines(target, TimelineId{0xFFFFFFFF}).empty());
}

} // namespace
} // namespace failback
