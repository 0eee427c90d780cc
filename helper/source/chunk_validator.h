// Follows the rows of one bulk read and refuses whatever was not asked for. Pure: no connection needed.
#pragma once

#include "helper/source/source.h"

namespace failback {

class ChunkValidator {
public:
    explicit ChunkValidator(std::span<const ByteRange> ranges) : ranges_(ranges) {}

    // Throws Error(protocol_violation) unless the row's checksum is right, it continues exactly where the one before
    // ended, its ranges were asked for and none gets more bytes than asked.
    void check(const ChunkRow &row);

    // Throws unless every range was answered.
    void finish() const;

private:
    std::span<const ByteRange> ranges_;
    size_t next_ = 0;        // 0-based range that the next row begins with
    int64_t continued_ = 0;  // bytes of it that came already
};

// The same for rows of block checksums: ranges in order, blocks in order, only what was asked for.
class BlockSumsValidator {
public:
    BlockSumsValidator(std::span<const ByteRange> ranges, uint32_t block_size) : ranges_(ranges), block_size_(block_size) {}

    // range: 1-based; offset: of the first block in the file, bytes; sum_bytes: 16 for each block. Throws Error(protocol_violation).
    void check(int32_t range, int64_t offset, size_t sum_bytes);

private:
    std::span<const ByteRange> ranges_;
    uint32_t block_size_;
    int32_t range_ = 0;    // of the last row
    int64_t next_ = 0;     // where its next row has to begin
};

} // namespace failback
