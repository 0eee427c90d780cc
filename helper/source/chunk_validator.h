// Follows the rows of one bulk read and refuses whatever was not asked for. Pure: no connection needed.
#pragma once

#include "helper/source/block_sums_row.h"
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

// The same for rows of block checksums: ranges in order, blocks in order, only what was asked for; and no chunk that is said
// to be known where no digest was given.
class BlockSumsValidator {
public:
    explicit BlockSumsValidator(const BlockSumsRequest &request)
        : ranges_(request.ranges), block_size_(request.block_size), with_digests_(!request.digests.empty())
    {
    }

    // Throws Error(protocol_violation).
    void check(const BlockSumsRow &row);

private:
    std::span<const ByteRange> ranges_;
    uint32_t block_size_;
    bool with_digests_;
    int32_t range_ = 0;    // of the last row
    int64_t next_ = 0;     // where its next row has to begin
};

} // namespace failback
