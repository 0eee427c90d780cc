// One row of block checksums, as a server sends it.
#pragma once

#include <cstdint>
#include <span>

namespace failback {

struct BlockSumsRow {
    int32_t range = 0;                   // 1-based, of those asked for
    int64_t offset = 0;                  // of the first block in the file, bytes
    bool known = false;                  // a whole chunk that has the digest given for it
    std::span<const unsigned char> sums; // 16 bytes for each block; none if known
};

} // namespace failback
