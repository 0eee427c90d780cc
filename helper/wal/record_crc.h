// CRC-32C as WAL records carry it (port/pg_crc32c.h), fast enough to keep up with the page cache.
#pragma once

#include <cstddef>
#include <cstdint>

namespace failback {

inline constexpr uint32_t crc32c_start = 0xFFFFFFFF;

// The state after `size` more bytes. Start with crc32c_start; the checksum is finish_crc32c(state).
uint32_t extend_crc32c(uint32_t state, const unsigned char *data, size_t size);

constexpr uint32_t finish_crc32c(uint32_t state)
{
    return state ^ 0xFFFFFFFF;
}

} // namespace failback
