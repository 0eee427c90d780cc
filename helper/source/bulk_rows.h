// Takes the rows of the extension's bulk functions apart. Says nothing about whether they were asked for: that is
// chunk_validator's part.
#pragma once

#include "helper/source/block_sums_row.h"
#include "helper/source/source.h"
#include "helper/source/wire_format.h"

namespace failback {

// Both throw Error(protocol_violation) where the row has other columns or types than agreed.

// The first row of a result of pg_failback_read_chunks. The row's payload points into the result, its results into
// `results`, whose memory is used again.
ChunkRow decode_chunk_row(const PGresult *result, std::vector<int64_t> &results);

// The first row of a result of pg_failback_block_checksums. Its sums point into the result.
BlockSumsRow decode_block_sums(const PGresult *result);

} // namespace failback
