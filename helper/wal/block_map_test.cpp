#include "helper/wal/block_map.h"

#include <gtest/gtest.h>

#include <random>

namespace failback {

static bool operator==(const BlockRun &a, const BlockRun &b)
{
    return a.first == b.first && a.count == b.count;
}

static void PrintTo(const BlockRun &run, std::ostream *out)
{
    *out << run.first << "+" << run.count;
}

namespace {

using Runs = std::vector<BlockRun>;
const RelationId relation{1663, 5, 16384};
const RelationId other{1663, 5, 16385};

TEST(BlockMap, RunsAreAscendingAndMerged)
{
    BlockMap map;
    for (uint32_t block : {600u, 3u, 1u, 2u, 511u, 512u, 3u, 63u, 64u})
        map.add_block(relation, block);
    EXPECT_EQ(map.runs(relation, 0, 1000), (Runs{{1, 3}, {63, 2}, {511, 2}, {600, 1}}));
    EXPECT_EQ(map.block_count(), 8u); // 3 came twice
    EXPECT_TRUE(map.runs(other, 0, 1000).empty());
}

TEST(BlockMap, FirstBlocksOfWhatHasBlocks)
{
    BlockMap map;
    const RelationId changed{1663, 5, 1}, untouched{1663, 5, 2}, created{1663, 5, 3}, has_it{1663, 5, 4};
    map.add_block(changed, 200000);
    map.add_created(created);
    map.add_truncation(untouched, 7);
    map.add_block(has_it, 0);
    map.add_first_blocks();
    ASSERT_EQ(map.runs(changed, 0, 10).size(), 1u);
    EXPECT_EQ(map.runs(changed, 0, 10)[0].first, 0u);
    EXPECT_EQ(map.runs(changed, 0, 300000).size(), 2u);
    EXPECT_TRUE(map.runs(untouched, 0, 5).empty());
    EXPECT_TRUE(map.runs(created, 0, 5).empty());
    EXPECT_EQ(map.block_count(), 3u);
}

TEST(BlockMap, RunsAreCutToTheAskedRange)
{
    BlockMap map;
    for (uint32_t block = 100; block < 2000; ++block)
        map.add_block(relation, block);
    EXPECT_EQ(map.runs(relation, 0, UINT32_MAX), (Runs{{100, 1900}}));
    EXPECT_EQ(map.runs(relation, 700, 1700), (Runs{{700, 1000}}));
    EXPECT_EQ(map.runs(relation, 1999, 2001), (Runs{{1999, 1}}));
    EXPECT_TRUE(map.runs(relation, 2000, 3000).empty());
    EXPECT_TRUE(map.runs(relation, 5, 5).empty());
    EXPECT_TRUE(map.runs(relation, 0, 100).empty());
}

TEST(BlockMap, HighestBlockNumbersDoNotOverflow)
{
    BlockMap map;
    map.add_block(relation, UINT32_MAX - 1); // MaxBlockNumber
    map.add_block(relation, 0);
    EXPECT_EQ(map.runs(relation, 0, UINT32_MAX), (Runs{{0, 1}, {UINT32_MAX - 1, 1}}));
}

TEST(BlockMap, TruncationMakesTheTailSuspect)
{
    BlockMap map;
    map.add_block(relation, 5);
    map.add_block(relation, 50);
    map.add_truncation(relation, 20);
    map.add_truncation(relation, 40); // a later, longer one does not take back the first
    EXPECT_EQ(map.runs(relation, 0, 100), (Runs{{5, 1}, {20, 80}}));
    EXPECT_EQ(map.runs(relation, 30, 60), (Runs{{30, 30}}));
    EXPECT_EQ(map.runs(relation, 0, 10), (Runs{{5, 1}}));
    EXPECT_EQ(map.block_count(), 2u);
    map.add_truncation(other, 0);
    EXPECT_EQ(map.runs(other, 0, 7), (Runs{{0, 7}}));
}

TEST(BlockMap, TruncationTailJoinsTheBlocksBeforeIt)
{
    BlockMap map;
    map.add_block(relation, 19);
    map.add_truncation(relation, 20);
    EXPECT_EQ(map.runs(relation, 0, 22), (Runs{{19, 3}}));
}

TEST(BlockMap, CreatedRelationsAndDatabasesAreReplacedWhole)
{
    BlockMap map;
    map.add_block(other, 1);
    EXPECT_FALSE(map.replace_whole(relation));
    map.add_created(relation);
    EXPECT_TRUE(map.replace_whole(relation));
    EXPECT_FALSE(map.replace_whole(other));
    map.add_created_database(1663, 77);
    EXPECT_TRUE(map.replace_whole({1663, 77, 1}));
    EXPECT_FALSE(map.replace_whole({1700, 77, 1}));
    EXPECT_EQ(map.relations(), (std::vector<RelationId>{relation, other}));
}

TEST(BlockMap, EqualsASimpleSetOnRandomInput)
{
    std::mt19937 generator(42);
    auto random = [&](uint32_t below) { return static_cast<uint32_t>(generator() % below); };
    BlockMap map;
    std::set<std::pair<RelationId, uint32_t>> expected;
    for (int i = 0; i < 20000; ++i) {
        RelationId id{1663 + random(2), random(3), 16384 + random(200)};
        uint32_t block = random(3000);
        map.add_block(id, block);
        expected.emplace(id, block);
    }
    EXPECT_EQ(map.block_count(), expected.size());
    std::set<std::pair<RelationId, uint32_t>> found;
    for (const RelationId &id : map.relations()) {
        int64_t last_end = -1;
        for (const BlockRun &run : map.runs(id, 0, 3000)) {
            EXPECT_GT(int64_t{run.first}, last_end); // ascending, and not touching the one before
            last_end = int64_t{run.first} + run.count;
            for (uint32_t i = 0; i < run.count; ++i)
                found.emplace(id, run.first + i);
        }
    }
    EXPECT_EQ(found, expected);
}

TEST(BlockMap, SurvivesAMove)
{
    BlockMap map;
    map.add_block(relation, 9);
    BlockMap moved = std::move(map);
    EXPECT_EQ(moved.runs(relation, 0, 10), (Runs{{9, 1}}));
}

} // namespace
} // namespace failback
