// Takes the rows of the extension's bulk functions apart. Says nothing about whether they were asked for: that is
// chunk_validator's part.
#pragma once

#include "helper/source/source.h"
#include "helper/source/wire_format.h"

namespace failback {

// Both throw Error(protocol_violation) where the row has other columns or types than agreed.

// The first row of a result of pg_failback_read_chunks. The row's payload points into the result, its results into
// `results`, whose memory is used again.
ChunkRow decode_chunk_row(const PGresult *result, std::vector<int64_t> &results);

struct BlockSumsRow {
    int32_t range = 0;                  // 1-based, of those asked for
    int64_t offset = 0;                 // of the first block in the file, bytes
    std::span<const unsigned char> sums; // 16 bytes for each block; points into the result
};

// The first row of a result of pg_failback_block_checksums.
BlockSumsRow decode_block_sums(const PGresult *result);

} // namespace failback
