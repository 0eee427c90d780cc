#include "common/chunk_protocol.h"

#include <gtest/gtest.h>

#include <vector>

using namespace failback;

namespace {

struct Fixture {
    std::vector<int64_t> results{8192, range_vanished, 100};
    std::vector<unsigned char> payload = std::vector<unsigned char>(8292, 7);

    ChunkRow row() const
    {
        ChunkRow row;
        row.first_range = 3;
        row.start = int64_t{5} << 32;
        row.results = results;
        row.finished = true;
        row.compression = 1;
        row.raw_size = 8292;
        row.payload = payload;
        return row;
    }
};

TEST(RowChecksum, EveryFieldCounts)
{
    Fixture fixture;
    const Checksum good = row_checksum(fixture.row());
    EXPECT_EQ(good.length, 16);
    EXPECT_EQ(good, row_checksum(fixture.row()));

    auto changed = [&](auto change) {
        ChunkRow row = fixture.row();
        change(row);
        return row_checksum(row);
    };
    EXPECT_NE(good, changed([](ChunkRow &row) { row.first_range = 4; }));
    EXPECT_NE(good, changed([](ChunkRow &row) { row.start += int64_t{1} << 40; }));
    EXPECT_NE(good, changed([](ChunkRow &row) { row.finished = false; }));
    EXPECT_NE(good, changed([](ChunkRow &row) { row.compression = 2; }));
    EXPECT_NE(good, changed([](ChunkRow &row) { row.raw_size -= 1; }));
    fixture.results[1] = 0;
    EXPECT_NE(good, row_checksum(fixture.row()));
    fixture.results[1] = range_vanished;
    fixture.payload.back() ^= 1;
    EXPECT_NE(good, row_checksum(fixture.row()));
}

TEST(RowChecksum, ResultsAndPayloadDoNotMix)
{
    ChunkRow with_result;
    std::vector<int64_t> one{0};
    with_result.results = one;
    ChunkRow with_payload;
    std::vector<unsigned char> zeros(8, 0);
    with_payload.payload = zeros;
    EXPECT_NE(row_checksum(with_result), row_checksum(with_payload));
}

TEST(RowChecksum, FixedLayout)
{
    // The bytes that are hashed, written out: both sides and every later version must agree on them.
    std::vector<int64_t> results{-1, 258};
    std::vector<unsigned char> payload{'a', 'b'};
    ChunkRow row;
    row.first_range = 1;
    row.start = 2;
    row.results = results;
    row.finished = true;
    row.compression = 0;
    row.raw_size = 2;
    row.payload = payload;
    const std::vector<unsigned char> layout = {1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 'a', 'b'};
    EXPECT_EQ(row_checksum(row), default_checksum_algorithm().compute(layout));
}

} // namespace
