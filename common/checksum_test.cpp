#include "common/checksum.h"

#include "common/error.h"

#include <gtest/gtest.h>

#include <vector>

using namespace failback;

namespace {

std::span<const unsigned char> bytes(std::string_view text)
{
    return {reinterpret_cast<const unsigned char *>(text.data()), text.size()};
}

TEST(Checksum, KnownValues)
{
    // Published test vectors of xxHash: empty input, seed 0.
    EXPECT_EQ(find_checksum_algorithm("xxh128").compute({}).hex(), "99aa06d3014798d86001c324468d497f");
    EXPECT_EQ(find_checksum_algorithm("xxh64").compute({}).hex(), "ef46db3751d8e999");
    EXPECT_EQ(find_checksum_algorithm("xxh64").compute(bytes("abc")).hex(), "44bc2cf5ad770999");
}

TEST(Checksum, StreamEqualsWhole)
{
    std::vector<unsigned char> data(100000);
    for (size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<unsigned char>(i * 31 + i / 251);
    for (const char *name : {"xxh128", "xxh64"}) {
        const ChecksumAlgorithm &algorithm = find_checksum_algorithm(name);
        auto stream = algorithm.start();
        for (size_t at = 0; at < data.size(); at += 777)
            stream->update(std::span(data).subspan(at, std::min<size_t>(777, data.size() - at)));
        Checksum streamed = stream->finish();
        EXPECT_EQ(streamed, algorithm.compute(data));
        EXPECT_EQ(streamed.length, algorithm.length);
        data[5000] ^= 1;
        EXPECT_NE(streamed, algorithm.compute(data));
        data[5000] ^= 1;
    }
}

TEST(Checksum, UnknownNameListsTheKnownOnes)
{
    try {
        find_checksum_algorithm("XXH128");
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
        EXPECT_NE(error.hint().find("xxh128"), std::string::npos);
    }
    EXPECT_STREQ(default_checksum_algorithm().name, "xxh128");
}

} // namespace
