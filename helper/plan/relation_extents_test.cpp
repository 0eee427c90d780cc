#include "helper/plan/relation_extents.h"

#include <gtest/gtest.h>

#include <ostream>
namespace failback {

void PrintTo(const Extent &extent, std::ostream *out)
{
    *out << "{" << extent.offset << ", " << extent.length << "}";
}

namespace {

constexpr RelationId relation{1663, 5, 16384};
constexpr int64_t block = 8192;
constexpr uint32_t segment_blocks = 16;

using Extents = std::vector<Extent>;

Extents extents(const BlockMap &blocks, int64_t source_size, int64_t target_size, uint32_t segment = 0)
{
    return changed_extents(blocks, {relation, ForkKind::main, segment}, source_size, target_size, block, segment_blocks);
}

TEST(RelationExtents, NothingChanged)
{
    EXPECT_EQ(extents(BlockMap(), 10 * block, 10 * block), Extents{});
    EXPECT_EQ(extents(BlockMap(), 0, 0), Extents{});
}

TEST(RelationExtents, NeighboursAreMerged)
{
    BlockMap blocks;
    for (uint32_t each : {7u, 2u, 3u, 9u})
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 10 * block, 10 * block), (Extents{{2 * block, 2 * block}, {7 * block, block}, {9 * block, block}}));
}

TEST(RelationExtents, AnotherRelationsBlocksDoNotCount)
{
    BlockMap blocks;
    blocks.add_block({1663, 5, 16385}, 1);
    blocks.add_block({1663, 6, 16384}, 1);
    EXPECT_EQ(extents(blocks, 4 * block, 4 * block), Extents{});
}

TEST(RelationExtents, WhatTheSourceDoesNotHaveIsNotAskedFor)
{
    BlockMap blocks;
    for (uint32_t each = 2; each < 8; each++)
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 4 * block, 8 * block), (Extents{{2 * block, 2 * block}}));
    EXPECT_EQ(extents(blocks, 0, 8 * block), Extents{});
}

TEST(RelationExtents, TheSourcesTailIsFetched)
{
    EXPECT_EQ(extents(BlockMap(), 10 * block, 4 * block), (Extents{{4 * block, 6 * block}}));
    EXPECT_EQ(extents(BlockMap(), 10 * block, 0), (Extents{{0, 10 * block}}));
}

TEST(RelationExtents, TailAndChangedBlocksAreOne)
{
    BlockMap blocks;
    blocks.add_block(relation, 1);
    blocks.add_block(relation, 3); // touches the tail
    blocks.add_block(relation, 5); // inside it
    EXPECT_EQ(extents(blocks, 10 * block, 4 * block), (Extents{{block, block}, {3 * block, 7 * block}}));
    blocks.add_block(relation, 4); // a run across its begin
    EXPECT_EQ(extents(blocks, 10 * block, 4 * block), (Extents{{block, block}, {3 * block, 7 * block}}));
}

TEST(RelationExtents, ATornLastBlockIsFetchedWhole)
{
    EXPECT_EQ(extents(BlockMap(), 4 * block, 3 * block + 100), (Extents{{3 * block, block}}));
    // The same size on both sides, and still nobody knows what is in it.
    EXPECT_EQ(extents(BlockMap(), 3 * block + 100, 3 * block + 100), (Extents{{3 * block, 100}}));
    EXPECT_EQ(extents(BlockMap(), 3 * block, 3 * block + 100), Extents{});
}

TEST(RelationExtents, APartialBlockOfTheSourceIsCutThere)
{
    BlockMap blocks;
    blocks.add_block(relation, 3);
    EXPECT_EQ(extents(blocks, 3 * block + 512, 5 * block), (Extents{{3 * block, 512}}));
}

TEST(RelationExtents, LaterSegmentsCountFromTheirOwnBegin)
{
    BlockMap blocks;
    for (uint32_t each : {15u, 16u, 31u, 32u, 33u})
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 16 * block, 16 * block, 0), (Extents{{15 * block, block}}));
    EXPECT_EQ(extents(blocks, 16 * block, 16 * block, 1), (Extents{{0, block}, {15 * block, block}}));
    EXPECT_EQ(extents(blocks, 16 * block, 16 * block, 2), (Extents{{0, 2 * block}}));
}

TEST(RelationExtents, ATruncationMakesAllThatFollowsSuspect)
{
    BlockMap blocks;
    blocks.add_truncation(relation, 4);
    EXPECT_EQ(extents(blocks, 8 * block, 8 * block), (Extents{{4 * block, 4 * block}}));
    EXPECT_EQ(extents(blocks, 16 * block, 16 * block, 1), (Extents{{0, 16 * block}}));
}

TEST(RelationExtents, TheLastBlocksOfTheLargestRelation)
{
    // 2^32 - 1 blocks are the most a relation may have; its files are 1 GB.
    constexpr uint32_t file_blocks = 131072;
    constexpr uint32_t last_segment = UINT32_MAX / file_blocks;
    BlockMap blocks;
    blocks.add_block(relation, UINT32_MAX - 1);
    int64_t size = int64_t{file_blocks - 1} * block;
    EXPECT_EQ(changed_extents(blocks, {relation, ForkKind::main, last_segment}, size, size, block, file_blocks),
              (Extents{{size - block, block}}));
}

} // namespace
} // namespace failback
