// Follows the rows of one bulk read and refuses whatever was not asked for. Pure: no connection needed.
#pragma once

#include "helper/source/source.h"

namespace failback {

class ChunkValidator {
public:
    explicit ChunkValidator(std::span<const ByteRange> ranges) : ranges_(ranges) {}

    // Throws Error(data_corrupted) unless the row's checksum is right, it continues exactly where the one before
    // ended, its ranges were asked for and none gets more bytes than asked.
    void check(const ChunkRow &row);

    // Throws unless every range was answered.
    void finish() const;

private:
    std::span<const ByteRange> ranges_;
    size_t next_ = 0;        // 0-based range that the next row begins with
    int64_t continued_ = 0;  // bytes of it that came already
};

} // namespace failback
