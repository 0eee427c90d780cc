#include "helper/plan/content_difference.h"

#include "helper/plan/test_sizes.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

constexpr uint32_t pages_in_segment = 4;

FileEntry summed_file(const std::string &path, int64_t size, unsigned char sum = 0)
{
    FileEntry entry;
    entry.path = path;
    entry.size = size;
    if (sum != 0) {
        entry.has_checksum = true;
        entry.checksum.length = 16;
        entry.checksum.bytes[0] = sum;
    }
    return entry;
}

ContentDifference find(const std::vector<FileEntry> &source, const std::vector<FileEntry> &target, const BlockMap &blocks = {})
{
    return find_content_difference(source, target, blocks, block_bytes, pages_in_segment);
}

TEST(ContentDifference, EqualFilesAreNotListed)
{
    auto found = find({summed_file("base/5/16400", 3 * block_bytes), summed_file("pg_xact/0000", block_bytes, 7)},
                      {summed_file("base/5/16400", 3 * block_bytes), summed_file("pg_xact/0000", block_bytes, 7)});
    EXPECT_TRUE(found.files.empty());
    EXPECT_EQ(found.files_compared, 2);
    EXPECT_EQ(found.blocks_compared, 3);
}

TEST(ContentDifference, BlocksOfEachSegmentAndTheSurplus)
{
    BlockMap blocks;
    blocks.add_block({1663, 5, 16400}, 1);
    blocks.add_block({1663, 5, 16400}, 4); // the first of the second file
    auto found = find({summed_file("base/5/16400", 4 * block_bytes), summed_file("base/5/16400.1", 3 * block_bytes)},
                      {summed_file("base/5/16400", 4 * block_bytes), summed_file("base/5/16400.1", 1 * block_bytes)}, blocks);
    ASSERT_EQ(found.files.size(), 2u);
    EXPECT_EQ(found.files[0].differing_blocks, 1);
    EXPECT_EQ(found.files[0].blocks, 4);
    EXPECT_EQ(found.files[1].differing_blocks, 1 + 2);
    EXPECT_EQ(found.files[1].blocks, 3);
    EXPECT_EQ(found.differing_blocks, 4);
    EXPECT_EQ(found.blocks_compared, 7);
    EXPECT_EQ(found.differing_relation_files, 2);
}

TEST(ContentDifference, PartOfABlockDiffers)
{
    auto found = find({summed_file("base/5/16400", 2 * block_bytes)}, {summed_file("base/5/16400", 2 * block_bytes - 100)});
    ASSERT_EQ(found.files.size(), 1u);
    EXPECT_EQ(found.files[0].differing_blocks, 1);
}

TEST(ContentDifference, OneSideOnly)
{
    auto found = find({summed_file("base/5/1", block_bytes), summed_file("pg_xact/0001", 100, 1)}, {summed_file("base/5/2", 2 * block_bytes), summed_file("extra/file", 5)});
    ASSERT_EQ(found.files.size(), 4u);
    EXPECT_EQ(found.only_on_source, 2);
    EXPECT_EQ(found.only_on_target, 2);
    EXPECT_EQ(found.files[0].state, FileState::only_on_source);
    EXPECT_EQ(found.files[1].state, FileState::only_on_target);
    EXPECT_EQ(found.files[1].target_size, 2 * block_bytes);
    EXPECT_EQ(found.files[1].source_size, 0);
}

TEST(ContentDifference, OtherFilesByChecksumAndSize)
{
    auto found = find({summed_file("global/pg_filenode.map", 512, 1), summed_file("pg_xact/0000", 8192, 2), summed_file("base/5/16400_vm", block_bytes, 3)},
                      {summed_file("base/5/16400_vm", block_bytes, 3), summed_file("global/pg_filenode.map", 512, 9), summed_file("pg_xact/0000", 16384)});
    EXPECT_EQ(found.differing_other_files, 2);
}

TEST(ContentDifference, WhatBelongsToEachServerIsLeftOut)
{
    auto found = find({summed_file("pg_hba.conf", 10, 1)},
                      {summed_file("base/5/16500", block_bytes), summed_file("base/5/16500_init", block_bytes, 1), summed_file("base/5/t3_16600", block_bytes),
                       summed_file("global/pg_control", 8192), summed_file("pg_hba.conf", 10, 2), summed_file("pg_stat/pgstat.stat", 9),
                       summed_file("pg_wal/000000010000000000000001", 16 << 20), summed_file("postmaster.opts", 10), summed_file("server.key", 1)});
    ASSERT_EQ(found.files.size(), 1u);
    EXPECT_EQ(found.files[0].path, "base/5/16500_init");
}

} // namespace
} // namespace failback
