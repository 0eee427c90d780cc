#include "helper/plan/relation_extents.h"

#include "helper/plan/test_sizes.h"

#include <gtest/gtest.h>

#include <ostream>
namespace failback {

void PrintTo(const Extent &extent, std::ostream *out)
{
    *out << "{" << extent.offset << ", " << extent.length << "}";
}

namespace {

constexpr RelationId relation{1663, 5, 16384};
constexpr uint32_t segment_blocks = 16;

using Extents = std::vector<Extent>;

Extents extents(const BlockMap &blocks, int64_t source_size, int64_t target_size, uint32_t segment = 0)
{
    return changed_extents(blocks, {relation, ForkKind::main, segment}, source_size, target_size, block_bytes, segment_blocks);
}

TEST(RelationExtents, NothingChanged)
{
    EXPECT_EQ(extents(BlockMap(), 10 * block_bytes, 10 * block_bytes), Extents{});
    EXPECT_EQ(extents(BlockMap(), 0, 0), Extents{});
}

TEST(RelationExtents, NeighboursAreMerged)
{
    BlockMap blocks;
    for (uint32_t each : {7u, 2u, 3u, 9u})
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 10 * block_bytes, 10 * block_bytes), (Extents{{2 * block_bytes, 2 * block_bytes}, {7 * block_bytes, block_bytes}, {9 * block_bytes, block_bytes}}));
}

TEST(RelationExtents, AnotherRelationsBlocksDoNotCount)
{
    BlockMap blocks;
    blocks.add_block({1663, 5, 16385}, 1);
    blocks.add_block({1663, 6, 16384}, 1);
    EXPECT_EQ(extents(blocks, 4 * block_bytes, 4 * block_bytes), Extents{});
}

TEST(RelationExtents, WhatTheSourceDoesNotHaveIsNotAskedFor)
{
    BlockMap blocks;
    for (uint32_t each = 2; each < 8; each++)
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 4 * block_bytes, 8 * block_bytes), (Extents{{2 * block_bytes, 2 * block_bytes}}));
    EXPECT_EQ(extents(blocks, 0, 8 * block_bytes), Extents{});
}

TEST(RelationExtents, TheSourcesTailIsFetched)
{
    EXPECT_EQ(extents(BlockMap(), 10 * block_bytes, 4 * block_bytes), (Extents{{4 * block_bytes, 6 * block_bytes}}));
    EXPECT_EQ(extents(BlockMap(), 10 * block_bytes, 0), (Extents{{0, 10 * block_bytes}}));
}

TEST(RelationExtents, TailAndChangedBlocksAreOne)
{
    BlockMap blocks;
    blocks.add_block(relation, 1);
    blocks.add_block(relation, 3); // touches the tail
    blocks.add_block(relation, 5); // inside it
    EXPECT_EQ(extents(blocks, 10 * block_bytes, 4 * block_bytes), (Extents{{block_bytes, block_bytes}, {3 * block_bytes, 7 * block_bytes}}));
    blocks.add_block(relation, 4); // a run across its begin
    EXPECT_EQ(extents(blocks, 10 * block_bytes, 4 * block_bytes), (Extents{{block_bytes, block_bytes}, {3 * block_bytes, 7 * block_bytes}}));
}

TEST(RelationExtents, ATornLastBlockIsFetchedWhole)
{
    EXPECT_EQ(extents(BlockMap(), 4 * block_bytes, 3 * block_bytes + 100), (Extents{{3 * block_bytes, block_bytes}}));
    // The same size on both sides, and still nobody knows what is in it.
    EXPECT_EQ(extents(BlockMap(), 3 * block_bytes + 100, 3 * block_bytes + 100), (Extents{{3 * block_bytes, 100}}));
    EXPECT_EQ(extents(BlockMap(), 3 * block_bytes, 3 * block_bytes + 100), Extents{});
}

TEST(RelationExtents, APartialBlockOfTheSourceIsCutThere)
{
    BlockMap blocks;
    blocks.add_block(relation, 3);
    EXPECT_EQ(extents(blocks, 3 * block_bytes + 512, 5 * block_bytes), (Extents{{3 * block_bytes, 512}}));
}

TEST(RelationExtents, LaterSegmentsCountFromTheirOwnBegin)
{
    BlockMap blocks;
    for (uint32_t each : {15u, 16u, 31u, 32u, 33u})
        blocks.add_block(relation, each);
    EXPECT_EQ(extents(blocks, 16 * block_bytes, 16 * block_bytes, 0), (Extents{{15 * block_bytes, block_bytes}}));
    EXPECT_EQ(extents(blocks, 16 * block_bytes, 16 * block_bytes, 1), (Extents{{0, block_bytes}, {15 * block_bytes, block_bytes}}));
    EXPECT_EQ(extents(blocks, 16 * block_bytes, 16 * block_bytes, 2), (Extents{{0, 2 * block_bytes}}));
}

TEST(RelationExtents, ATruncationMakesAllThatFollowsSuspect)
{
    BlockMap blocks;
    blocks.add_truncation(relation, 4);
    EXPECT_EQ(extents(blocks, 8 * block_bytes, 8 * block_bytes), (Extents{{4 * block_bytes, 4 * block_bytes}}));
    EXPECT_EQ(extents(blocks, 16 * block_bytes, 16 * block_bytes, 1), (Extents{{0, 16 * block_bytes}}));
}

TEST(RelationExtents, TheLastBlocksOfTheLargestRelation)
{
    // 2^32 - 1 blocks are the most a relation may have; its files are 1 GB.
    constexpr uint32_t file_blocks = 131072;
    constexpr uint32_t last_segment = UINT32_MAX / file_blocks;
    BlockMap blocks;
    blocks.add_block(relation, UINT32_MAX - 1);
    int64_t size = int64_t{file_blocks - 1} * block_bytes;
    EXPECT_EQ(changed_extents(blocks, {relation, ForkKind::main, last_segment}, size, size, block_bytes, file_blocks),
              (Extents{{size - block_bytes, block_bytes}}));
}

} // namespace
} // namespace failback
