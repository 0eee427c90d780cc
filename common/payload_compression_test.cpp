#include "common/payload_compression.h"

#include "common/error.h"

#include <gtest/gtest.h>

#include <random>

using namespace failback;

namespace {

std::vector<unsigned char> sample(size_t size, bool random)
{
    std::mt19937 generator(size);
    std::vector<unsigned char> data(size);
    for (size_t i = 0; i < size; ++i)
        data[i] = random ? static_cast<unsigned char>(generator()) : static_cast<unsigned char>(i / 100);
    return data;
}

class Compression : public testing::TestWithParam<const char *> {};

TEST_P(Compression, RoundTrip)
{
    const CompressionAlgorithm &algorithm = find_compression(std::string_view(GetParam()));
    EXPECT_EQ(&algorithm, &find_compression(algorithm.id));
    for (size_t size : {0, 1, 8192, 65536, 300000}) {
        for (bool random : {false, true}) {
            for (int level : {algorithm.min_level, algorithm.default_level, algorithm.max_level}) {
                auto data = sample(size, random);
                std::vector<unsigned char> packed(algorithm.bound(size));
                size_t written = algorithm.compress(data, packed, level);
                ASSERT_LE(written, packed.size());
                packed.resize(written);
                std::vector<unsigned char> unpacked(size);
                algorithm.decompress(packed, unpacked);
                EXPECT_EQ(unpacked, data);
                if (size >= 8192 && !random && algorithm.id != CompressionId::none) {
                    EXPECT_LT(written, size / 10);
                }
            }
        }
    }
}

TEST_P(Compression, DamageIsFound)
{
    const CompressionAlgorithm &algorithm = find_compression(std::string_view(GetParam()));
    auto data = sample(10000, false);
    std::vector<unsigned char> packed(algorithm.bound(data.size()));
    packed.resize(algorithm.compress(data, packed, algorithm.default_level));

    auto code = [&](std::span<const unsigned char> in, size_t out_size) {
        std::vector<unsigned char> out(out_size);
        try {
            algorithm.decompress(in, out);
        } catch (const Error &error) {
            return error.code();
        }
        return ErrorCode::internal;
    };
    EXPECT_EQ(code(packed, data.size() + 1), ErrorCode::data_corrupted);
    EXPECT_EQ(code(packed, data.size() - 1), ErrorCode::data_corrupted);
    EXPECT_EQ(code(std::span(packed).first(packed.size() - 1), data.size()), ErrorCode::data_corrupted);
    EXPECT_EQ(code({}, data.size()), ErrorCode::data_corrupted);
}

INSTANTIATE_TEST_SUITE_P(All, Compression, testing::Values("none", "lz4", "zstd"));

TEST(CompressionTable, Unknown)
{
    try {
        find_compression("gzip");
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
        EXPECT_NE(error.hint().find("zstd"), std::string::npos);
    }
    try {
        find_compression(static_cast<CompressionId>(9));
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::data_corrupted);
    }
}

} // namespace
