// Limits and layout of the bulk read, shared by the extension that serves and the helper that asks.
//
// One call of pg_failback_read_chunks asks for n ranges (path, offset, length: three arrays of n).
// The answer is a stream of rows. Each row carries the content of consecutive ranges, starting with
// range `first_range`; a range longer than a row continues in the next one.
#pragma once

#include "common/checksum.h"

#include <cstdint>
#include <span>

namespace failback {

inline constexpr int64_t max_ranges_per_call = 65536;
inline constexpr int64_t max_bytes_per_call = int64_t{1} << 30; // sum of the lengths asked for
// Payload of one row before compression, bytes. Measured: see doc/ARCHITECTURE.md.
inline constexpr int64_t row_payload_bytes = 128 * 1024;
// pg_failback_manifest sends a notice after each so many seconds in which it was reading, whatever rows there are.
inline constexpr int sign_of_life_seconds = 5;

// In `results`: the file does not exist (any more). Ends the range.
inline constexpr int64_t range_vanished = -1;

// One row, as the helper sees it. Column order of pg_failback_read_chunks:
//   first_range int4, start int8, results int8[], finished bool, compression int2, raw_size int4,
//   payload bytea, checksum bytea
struct ChunkRow {
    int32_t first_range = 0; // 1-based subscript into the arrays asked for
    int64_t start = 0;       // bytes of first_range that earlier rows carried already
    std::span<const int64_t> results; // for first_range, first_range+1, ...: bytes in this row, or range_vanished
    bool finished = false;   // the last range in this row is complete (fewer bytes than asked: the file ended)
    int16_t compression = 0; // CompressionId of payload
    int32_t raw_size = 0;    // bytes of the payload once decompressed
    std::span<const unsigned char> payload;
    Checksum checksum;       // row_checksum() of all the above
};

// xxh128 over first_range, start, results, finished, compression, raw_size (little-endian, fixed width)
// and the payload as sent: a row that was damaged or put in another place does not match.
Checksum row_checksum(const ChunkRow &row);

} // namespace failback
