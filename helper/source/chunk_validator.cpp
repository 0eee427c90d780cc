#include "helper/source/chunk_validator.h"

#include "common/block_sums.h"

#include <algorithm>

namespace failback {

namespace {

[[noreturn]] void refuse(const char *what, size_t range, std::span<const ByteRange> ranges)
{
    std::string path = range < ranges.size() ? std::string(ranges[range].path) : std::string("(none)");
    throw Error(ErrorCode::protocol_violation, format("the source sent %s", what),
                format("This happened at range %zu of %zu, file \"%s\".", range + 1, ranges.size(), path.c_str()),
                "Nothing of it was used. Run the command again; if this stays, do not trust the source or the network.");
}

} // namespace

void ChunkValidator::check(const ChunkRow &row)
{
    if (row_checksum(row) != row.checksum)
        refuse("data that does not match its checksum", next_, ranges_);
    if (row.first_range < 1 || static_cast<size_t>(row.first_range) != next_ + 1 || row.start != continued_)
        refuse("a range out of order", next_, ranges_);
    if (row.results.empty() || row.results.size() > ranges_.size() - next_)
        refuse("ranges that were not asked for", next_, ranges_);
    if (row.raw_size < 0 || row.raw_size > row_payload_bytes)
        refuse("a row larger than agreed", next_, ranges_);
    if (!is_compression_id(row.compression))
        refuse("data that is packed in an unknown way", next_, ranges_);
    if (compression_id(row.compression) == CompressionId::none &&
        row.payload.size() != static_cast<size_t>(row.raw_size))
        refuse("a payload of another size than announced", next_, ranges_);

    int64_t sum = 0;
    for (size_t i = 0; i < row.results.size(); i++) {
        int64_t result = row.results[i];
        bool last = i + 1 == row.results.size();
        int64_t before = i == 0 ? continued_ : 0;
        if (result == range_vanished) {
            // A file may vanish while a long range of it is being read.
            if (last && !row.finished)
                refuse("an unfinished range of a file that is gone", next_ + i, ranges_);
            continue;
        }
        if (result < 0 || result > ranges_[next_ + i].length - before)
            refuse("more bytes than were asked for", next_ + i, ranges_);
        sum += result;
    }
    if (sum != row.raw_size)
        refuse("a payload that does not match its ranges", next_, ranges_);

    if (row.finished) {
        next_ += row.results.size();
        continued_ = 0;
    } else {
        int64_t last = row.results.back();
        if (last == 0)
            refuse("a row without progress", next_, ranges_);
        continued_ = row.results.size() == 1 ? continued_ + last : last;
        next_ += row.results.size() - 1;
        if (continued_ >= ranges_[next_].length)
            refuse("a complete range marked as unfinished", next_, ranges_);
    }
}

void ChunkValidator::finish() const
{
    if (next_ != ranges_.size())
        refuse("fewer ranges than were asked for", next_, ranges_);
}

void BlockSumsValidator::check(const BlockSumsRow &row)
{
    size_t index = static_cast<size_t>(row.range) - 1;
    if (row.range < 1 || index >= ranges_.size() || row.range < range_)
        refuse("checksums that were not asked for", index, ranges_);
    if (row.range > range_) {
        range_ = row.range;
        next_ = ranges_[index].offset;
    }
    const ByteRange &asked = ranges_[index];
    if (row.offset != next_)
        refuse("checksums out of order", index, ranges_);
    const int64_t left = asked.offset + asked.length - row.offset;
    // One row for each chunk, so that the digests given are of the same blocks. A shorter one is the end of a file.
    if (left <= 0 || (row.offset - asked.offset) % compared_chunk_bytes != 0)
        refuse("more checksums than were asked for", index, ranges_);
    const int64_t chunk = std::min(left, compared_chunk_bytes);
    if (row.known && !with_digests_)
        refuse("no checksums where some were asked for", index, ranges_);
    if (!row.known && (row.sums.empty() || row.sums.size() % block_sum_bytes != 0))
        refuse("checksums of an odd size", index, ranges_);
    int64_t covered = row.known ? chunk : static_cast<int64_t>(row.sums.size() / block_sum_bytes) * block_size_;
    if (covered > chunk)
        refuse("more checksums than were asked for", index, ranges_);
    next_ = row.offset + covered;
}

} // namespace failback
