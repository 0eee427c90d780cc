// What a hostile or broken source may send.
#include "helper/source/chunk_validator.h"

#include "common/block_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <climits>

namespace failback {
namespace {

class ChunkValidatorTest : public testing::Test {
protected:
    // A row as an honest source would send it: fields may be changed, then seal() makes its checksum right.
    ChunkRow row(int32_t first_range, int64_t start, std::vector<int64_t> row_results, bool finished)
    {
        results = std::move(row_results);
        int64_t size = 0;
        for (int64_t result : results)
            size += result > 0 ? result : 0;
        payload.assign(static_cast<size_t>(std::min<int64_t>(size, 2 * row_payload_bytes)), 'x');
        ChunkRow row;
        row.first_range = first_range;
        row.start = start;
        row.results = results;
        row.finished = finished;
        row.raw_size = static_cast<int32_t>(size);
        row.payload = payload;
        return seal(row);
    }

    static ChunkRow seal(ChunkRow row)
    {
        row.checksum = row_checksum(row);
        return row;
    }

    // "" if the row is accepted, else the message.
    std::string check(const ChunkRow &row)
    {
        try {
            validator.check(row);
            return "";
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
            return error.what();
        }
    }

    std::vector<ByteRange> ranges = {{"base/5/1", 0, 100}, {"base/5/1", 200, 50}, {"base/5/2", 0, 3 * row_payload_bytes}};
    ChunkValidator validator{ranges};
    std::vector<int64_t> results;
    std::vector<unsigned char> payload;
};

TEST_F(ChunkValidatorTest, AnHonestStream)
{
    EXPECT_EQ(check(row(1, 0, {100, 50, 1000}, false)), "");
    EXPECT_EQ(check(row(3, 1000, {row_payload_bytes}, false)), "");
    EXPECT_THROW(validator.finish(), Error);
    EXPECT_EQ(check(row(3, 1000 + row_payload_bytes, {10}, true)), ""); // the file ended
    validator.finish();
}

TEST_F(ChunkValidatorTest, FilesThatAreGoneOrShort)
{
    EXPECT_EQ(check(row(1, 0, {range_vanished, range_vanished, 0}, true)), "");
    validator.finish();
}

TEST_F(ChunkValidatorTest, AFileMayVanishWhileItIsRead)
{
    EXPECT_EQ(check(row(1, 0, {100, 50, 1000}, false)), "");
    EXPECT_EQ(check(row(3, 1000, {range_vanished}, true)), "");
    validator.finish();
}

TEST_F(ChunkValidatorTest, AnyChangedFieldMissesTheChecksum)
{
    ChunkRow good = row(1, 0, {100, 50}, true);
    ChunkRow bad = good;
    bad.first_range = 2;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.start = 1;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.finished = false;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.raw_size++;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.compression = 1;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.checksum.bytes[15] ^= 1;
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    bad = good;
    bad.checksum.length = 8; // as many bytes as the source likes
    EXPECT_NE(check(bad).find("checksum"), std::string::npos);
    results[0]--;
    results[1]++;
    EXPECT_NE(check(good).find("checksum"), std::string::npos);
    results = {100, 50};
    payload[149] ^= 1;
    EXPECT_NE(check(good).find("checksum"), std::string::npos);
    payload[149] ^= 1;
    EXPECT_EQ(check(good), "");
}

TEST_F(ChunkValidatorTest, OutOfOrder)
{
    EXPECT_NE(check(row(2, 0, {50}, true)), ""); // range 1 left out
    EXPECT_NE(check(row(0, 0, {100}, true)), "");
    EXPECT_NE(check(row(-1, 0, {100}, true)), "");
    EXPECT_NE(check(row(INT32_MIN, 0, {100}, true)), "");
    EXPECT_NE(check(row(4, 0, {100}, true)), "");
    EXPECT_NE(check(row(1, 10, {50}, true)), ""); // a hole
    EXPECT_EQ(check(row(1, 0, {100, 50}, true)), "");
    EXPECT_NE(check(row(1, 0, {100}, true)), ""); // again
    EXPECT_NE(check(row(2, 0, {50}, true)), "");
    EXPECT_EQ(check(row(3, 0, {100}, false)), "");
    EXPECT_NE(check(row(3, 0, {100}, true)), ""); // begins anew
    EXPECT_NE(check(row(3, 99, {100}, true)), "");
    EXPECT_NE(check(row(3, 101, {100}, true)), "");
}

TEST_F(ChunkValidatorTest, NotAskedFor)
{
    EXPECT_NE(check(row(1, 0, {100, 50, 10, 10}, true)), "");
    EXPECT_NE(check(row(1, 0, {}, true)), "");
    EXPECT_EQ(check(row(1, 0, {100, 50, 10}, true)), "");
    EXPECT_NE(check(row(4, 0, {1}, true)), ""); // all were answered
    EXPECT_NE(check(row(4, 0, {}, true)), "");
}

TEST_F(ChunkValidatorTest, MoreBytesThanAsked)
{
    EXPECT_NE(check(row(1, 0, {101}, true)), "");
    EXPECT_NE(check(row(1, 0, {100, 51}, true)), "");
    EXPECT_EQ(check(row(1, 0, {60}, false)), "");
    EXPECT_NE(check(row(1, 60, {41}, true)), "");
    EXPECT_EQ(check(row(1, 60, {40}, true)), "");
}

TEST_F(ChunkValidatorTest, NegativeAndOverflowingResults)
{
    EXPECT_NE(check(row(1, 0, {-2}, true)), "");
    EXPECT_NE(check(row(1, 0, {INT64_MIN}, true)), "");
    EXPECT_NE(check(row(1, 0, {INT64_MAX}, true)), "");
    // Results that would sum up to the right size only by overflow.
    EXPECT_NE(check(row(1, 0, {INT64_MAX, INT64_MAX, 2}, true)), "");
}

TEST_F(ChunkValidatorTest, SumsThatDoNotMatchThePayload)
{
    ChunkRow bad = row(1, 0, {100, 50}, true);
    bad.raw_size = 149;
    bad.payload = bad.payload.first(149);
    EXPECT_NE(check(seal(bad)), "");
    bad = row(1, 0, {100, 50}, true);
    bad.payload = bad.payload.first(149); // announced: 150
    EXPECT_NE(check(seal(bad)), "");
    bad = row(1, 0, {100, range_vanished}, true);
    bad.raw_size = 99; // a vanished range is not -1 byte
    bad.payload = bad.payload.first(99);
    EXPECT_NE(check(seal(bad)), "");
}

TEST_F(ChunkValidatorTest, RowsLargerThanAgreed)
{
    ASSERT_EQ(check(row(1, 0, {100, 50}, true)), "");
    EXPECT_NE(check(row(3, 0, {row_payload_bytes + 1}, false)), "");
    ChunkRow bad = row(3, 0, {10}, false);
    bad.raw_size = -1;
    EXPECT_NE(check(seal(bad)), "");
    bad.raw_size = INT32_MIN;
    EXPECT_NE(check(seal(bad)), "");
    EXPECT_EQ(check(row(3, 0, {row_payload_bytes}, false)), "");
}

TEST_F(ChunkValidatorTest, UnfinishedForEver)
{
    EXPECT_NE(check(row(1, 0, {0}, false)), "");
    EXPECT_NE(check(row(1, 0, {100, 0}, false)), "");
    EXPECT_NE(check(row(1, 0, {100}, false)), ""); // complete, says it is not
    EXPECT_NE(check(row(1, 0, {range_vanished}, false)), "");
    EXPECT_NE(check(row(1, 0, {100, range_vanished}, false)), "");
}

TEST_F(ChunkValidatorTest, AnEarlyEnd)
{
    EXPECT_THROW(validator.finish(), Error);
    EXPECT_EQ(check(row(1, 0, {100, 50}, true)), "");
    EXPECT_THROW(validator.finish(), Error);
}

TEST(ChunkValidator, NothingAskedNothingAnswered)
{
    ChunkValidator({}).finish();
}

class BlockSumsValidatorTest : public testing::Test {
protected:
    static constexpr uint32_t block = 8192;

    bool accepts(int32_t range, int64_t offset, size_t bytes) { return accepts(validator, {range, offset, false, std::span(sums).first(bytes)}); }

    static bool accepts(BlockSumsValidator &validator, const BlockSumsRow &row)
    {
        try {
            validator.check(row);
            return true;
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
            return false;
        }
    }

    std::vector<ByteRange> ranges = {{"base/5/1", 0, 4 * block}, {"base/5/1", 10 * block, 2 * block}, {"base/5/2", 0, block}};
    std::vector<unsigned char> sums = std::vector<unsigned char>(4096);
    BlockSumsValidator validator{BlockSumsRequest{ranges, block}};
};

TEST_F(BlockSumsValidatorTest, AnHonestStream)
{
    EXPECT_TRUE(accepts(1, 0, 64));
    EXPECT_TRUE(accepts(2, 10 * block, 32));
    EXPECT_TRUE(accepts(3, 0, 16));
}

TEST_F(BlockSumsValidatorTest, ShortAndMissingFilesHaveFewerRows)
{
    EXPECT_TRUE(accepts(1, 0, 16));
    EXPECT_TRUE(accepts(3, 0, 16));
}

TEST_F(BlockSumsValidatorTest, RangesOutOfOrderOrNotAskedFor)
{
    EXPECT_FALSE(accepts(0, 0, 16));
    EXPECT_FALSE(accepts(-1, 0, 16));
    EXPECT_FALSE(accepts(INT32_MIN, 0, 16));
    EXPECT_FALSE(accepts(4, 0, 16));
    EXPECT_TRUE(accepts(2, 10 * block, 16));
    EXPECT_FALSE(accepts(1, 0, 16));
}

TEST_F(BlockSumsValidatorTest, BlocksOutOfOrder)
{
    EXPECT_FALSE(accepts(1, block, 16)); // one left out
    EXPECT_TRUE(accepts(1, 0, 16));
    EXPECT_FALSE(accepts(1, block, 16)); // nothing follows the end of a file
    EXPECT_FALSE(accepts(1, 0, 16)); // again
    EXPECT_FALSE(accepts(1, 2 * block, 16));
    EXPECT_FALSE(accepts(1, block + 1, 16));
    EXPECT_FALSE(accepts(1, -block, 16));
    EXPECT_FALSE(accepts(2, 0, 16)); // begins where the range does
    EXPECT_FALSE(accepts(1, INT64_MAX, 16));
    EXPECT_FALSE(accepts(1, INT64_MIN, 16));
}

TEST_F(BlockSumsValidatorTest, KnownChunksOnlyWhereDigestsWereGiven)
{
    constexpr int64_t chunk = compared_chunk_bytes;
    EXPECT_FALSE(accepts(validator, {1, 0, true, {}}));
    const std::vector<ByteRange> large = {{"base/5/1", block, 2 * chunk + block}, {"base/5/2", 0, block}};
    const std::vector<unsigned char> digests(4 * block_sum_bytes);
    BlockSumsValidator with(BlockSumsRequest{large, block, digests});
    EXPECT_TRUE(accepts(with, {1, block, true, {}}));
    EXPECT_FALSE(accepts(with, {1, block, true, {}})); // again
    EXPECT_TRUE(accepts(with, {1, block + chunk, false, std::span(sums).first(16)}));
    EXPECT_FALSE(accepts(with, {1, 2 * block + chunk, true, {}})); // not where a chunk begins
    EXPECT_TRUE(accepts(with, {2, 0, true, {}}));
    EXPECT_FALSE(accepts(with, {2, block, true, {}})); // the range is complete
}

TEST_F(BlockSumsValidatorTest, NoMoreThanAChunkInARow)
{
    constexpr int64_t chunk = compared_chunk_bytes;
    const std::vector<ByteRange> large = {{"base/5/1", 0, 4 * chunk}};
    BlockSumsValidator long_rows(BlockSumsRequest{large, block});
    EXPECT_FALSE(accepts(long_rows, {1, 0, false, std::span(sums).first(65 * 16)}));
    EXPECT_TRUE(accepts(long_rows, {1, 0, false, std::span(sums).first(64 * 16)}));
    EXPECT_TRUE(accepts(long_rows, {1, chunk, false, std::span(sums).first(64 * 16)}));
}

TEST_F(BlockSumsValidatorTest, OddSizes)
{
    EXPECT_FALSE(accepts(1, 0, 0));
    EXPECT_FALSE(accepts(1, 0, 15));
    EXPECT_FALSE(accepts(1, 0, 17));
}

TEST_F(BlockSumsValidatorTest, MoreThanAskedFor)
{
    EXPECT_FALSE(accepts(1, 0, 5 * 16));
    EXPECT_TRUE(accepts(1, 0, 4 * 16));
    EXPECT_FALSE(accepts(1, 4 * block, 16)); // the range is complete
}

} // namespace
} // namespace failback
