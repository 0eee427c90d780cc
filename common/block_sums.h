// Checksums of blocks, as two sides compare content: packed, 16 bytes (xxh128) for each block, chunk by chunk.
//
// A range of a file is compared in chunks, counted from its beginning. Who asks may say the digest that each chunk of his own
// has; where the other side's is the same, nothing but that is answered, else the checksums of the chunk's blocks.
#pragma once

#include "common/checksum.h"

#include <cstdint>
#include <span>
#include <vector>

namespace failback {

inline constexpr size_t block_sum_bytes = 16;
inline constexpr int64_t compared_chunk_bytes = 512 * 1024; // a multiple of every block size

// Appends the checksum of every whole block of the content; a part of one at its end has none. block_size in bytes.
void append_block_sums(std::vector<unsigned char> &sums, std::span<const unsigned char> content, size_t block_size);

// Of a chunk, from the packed checksums of its blocks: both sides have read the content only once then.
Checksum chunk_digest(std::span<const unsigned char> sums);

// Chunks of a range of so many bytes, the last one perhaps shorter.
constexpr int64_t chunks_in(int64_t length) { return length / compared_chunk_bytes + (length % compared_chunk_bytes != 0 ? 1 : 0); }

} // namespace failback
