#include "helper/wal/record_crc.h"

#include "helper/pg_frontend.h"

extern "C" {
#include "port/pg_crc32c.h"
}

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace failback {
namespace {

TEST(RecordCrc, KnowsTheCheckValue)
{
    const char *text = "123456789";
    uint32_t state = extend_crc32c(crc32c_start, reinterpret_cast<const unsigned char *>(text), 9);
    EXPECT_EQ(finish_crc32c(state), 0xE3069283u); // of CRC-32C, in every catalogue
    EXPECT_EQ(finish_crc32c(extend_crc32c(crc32c_start, nullptr, 0)), 0u);
}

TEST(RecordCrc, EqualsPostgresAtEveryLengthAndAlignment)
{
    std::mt19937 random(1);
    std::vector<unsigned char> bytes(20000);
    for (unsigned char &each : bytes)
        each = static_cast<unsigned char>(random());
    auto check = [&](size_t from, size_t size) {
        uint32_t seed = static_cast<uint32_t>(random());
        pg_crc32c expected = seed;
        COMP_CRC32C(expected, bytes.data() + from, size);
        ASSERT_EQ(extend_crc32c(seed, bytes.data() + from, size), expected) << from << " " << size;
    };
    for (size_t size = 0; size < 1700; ++size)
        check(size % 17, size);
    for (size_t size : {3071u, 3072u, 3073u, 3839u, 3840u, 6144u, 8168u, 8192u, 16360u, 19983u})
        check(size % 13, size);
}

} // namespace
} // namespace failback
