#include "common/block_sums.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

constexpr size_t block = 8192;

std::vector<unsigned char> content_of(size_t bytes)
{
    std::vector<unsigned char> content(bytes);
    for (size_t i = 0; i < bytes; i++)
        content[i] = static_cast<unsigned char>(i / 1000);
    return content;
}

std::vector<unsigned char> sums_of(std::span<const unsigned char> content)
{
    std::vector<unsigned char> sums;
    append_block_sums(sums, content, block);
    return sums;
}

TEST(BlockSums, OneForEachWholeBlock)
{
    auto content = content_of(3 * block + 100);
    auto sums = sums_of(content);
    ASSERT_EQ(sums.size(), 3 * block_sum_bytes);
    for (size_t i = 0; i < 3; i++) {
        auto sum = default_checksum_algorithm().compute(std::span(content).subspan(i * block, block));
        EXPECT_TRUE(std::equal(sum.bytes.begin(), sum.bytes.end(), sums.begin() + static_cast<std::ptrdiff_t>(i * block_sum_bytes)));
    }
    EXPECT_TRUE(sums_of(std::span(content).first(block - 1)).empty());
}

TEST(BlockSums, AnyByteChangesTheDigest)
{
    auto content = content_of(4 * block);
    const Checksum digest = chunk_digest(sums_of(content));
    EXPECT_EQ(chunk_digest(sums_of(content)), digest);
    for (size_t at : {size_t{0}, block - 1, 2 * block, 4 * block - 1}) {
        content[at] ^= 1;
        EXPECT_NE(chunk_digest(sums_of(content)), digest) << at;
        content[at] ^= 1;
    }
    EXPECT_NE(chunk_digest(sums_of(std::span(content).first(3 * block))), digest);
}

TEST(BlockSums, BlocksThatChangePlacesChangeTheDigest)
{
    auto content = content_of(2 * block);
    const Checksum digest = chunk_digest(sums_of(content));
    std::swap_ranges(content.begin(), content.begin() + block, content.begin() + block);
    EXPECT_NE(chunk_digest(sums_of(content)), digest);
}

TEST(BlockSums, ChunksOfARange)
{
    EXPECT_EQ(chunks_in(0), 0);
    EXPECT_EQ(chunks_in(1), 1);
    EXPECT_EQ(chunks_in(compared_chunk_bytes), 1);
    EXPECT_EQ(chunks_in(compared_chunk_bytes + 1), 2);
    EXPECT_EQ(chunks_in(INT64_MAX), INT64_MAX / compared_chunk_bytes + 1);
}

} // namespace
} // namespace failback
