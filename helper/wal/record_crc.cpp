#include "helper/wal/record_crc.h"

#include "helper/pg_frontend.h"

extern "C" {
#include "port/pg_crc32c.h"
}

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace failback {

#if defined(__x86_64__)

namespace {

// One CRC instruction has to wait for the one before it, but the processor can work at three chains of them
// at a time. So a long run of bytes is cut into three lanes, which are joined by what the first lanes' states
// become when the other lanes' length in zero bytes follows: a linear function, tabulated byte by byte.
class ZeroExtension {
public:
    explicit ZeroExtension(size_t zero_bytes)
    {
        std::array<uint32_t, 32> of_bit;
        for (uint32_t bit = 0; bit < 32; ++bit) {
            of_bit[bit] = uint32_t{1} << bit;
            for (size_t step = 0; step < zero_bytes * 8; ++step)
                of_bit[bit] = of_bit[bit] >> 1 ^ (of_bit[bit] & 1 ? 0x82F63B78 : 0); // Castagnoli's polynomial, reflected
        }
        for (uint32_t position = 0; position < 4; ++position) {
            for (uint32_t byte = 0; byte < 256; ++byte) {
                table_[position][byte] = 0;
                for (uint32_t bit = 0; bit < 8; ++bit)
                    table_[position][byte] ^= byte >> bit & 1 ? of_bit[position * 8 + bit] : 0;
            }
        }
    }

    uint32_t apply(uint32_t state) const
    {
        return table_[0][state & 0xFF] ^ table_[1][state >> 8 & 0xFF] ^ table_[2][state >> 16 & 0xFF] ^ table_[3][state >> 24];
    }

private:
    uint32_t table_[4][256];
};

constexpr size_t long_lane = 1024, short_lane = 256; // bytes, multiples of 8

uint64_t word_at(const unsigned char *data)
{
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    return word;
}

// Consumes as many triples of lanes of `lane` bytes as there are.
[[gnu::target("sse4.2")]] uint32_t extend_lanes(uint32_t state, const unsigned char *&data, size_t &size, size_t lane,
                                                const ZeroExtension &zeros)
{
    while (size >= 3 * lane) {
        uint64_t first = state, second = 0, third = 0;
        for (size_t at = 0; at < lane; at += 8) {
            first = _mm_crc32_u64(first, word_at(data + at));
            second = _mm_crc32_u64(second, word_at(data + lane + at));
            third = _mm_crc32_u64(third, word_at(data + 2 * lane + at));
        }
        state = zeros.apply(static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
        state = zeros.apply(state) ^ static_cast<uint32_t>(third);
        data += 3 * lane;
        size -= 3 * lane;
    }
    return state;
}

[[gnu::target("sse4.2")]] uint32_t extend_with_instructions(uint32_t state, const unsigned char *data, size_t size)
{
    if (size >= 3 * short_lane) {
        static const ZeroExtension long_zeros(long_lane), short_zeros(short_lane);
        state = extend_lanes(state, data, size, long_lane, long_zeros);
        state = extend_lanes(state, data, size, short_lane, short_zeros);
    }
    uint64_t wide = state;
    for (; size >= 8; size -= 8, data += 8)
        wide = _mm_crc32_u64(wide, word_at(data));
    state = static_cast<uint32_t>(wide);
    for (; size > 0; --size, ++data)
        state = _mm_crc32_u8(state, *data);
    return state;
}

} // namespace

uint32_t extend_crc32c(uint32_t state, const unsigned char *data, size_t size)
{
    static const bool has_instructions = __builtin_cpu_supports("sse4.2");
    if (has_instructions)
        return extend_with_instructions(state, data, size);
    COMP_CRC32C(state, data, size);
    return state;
}

#else

// libpgport's own, which uses what this processor offers.
uint32_t extend_crc32c(uint32_t state, const unsigned char *data, size_t size)
{
    COMP_CRC32C(state, data, size);
    return state;
}

#endif

} // namespace failback
