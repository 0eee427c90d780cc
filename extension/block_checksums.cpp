// pg_failback_block_checksums(): checksums of every block of many ranges, packed, for comparing whole clusters; only those
// of chunks that differ, if the digests that the caller's own chunks have are given.

#include "common/block_sums.h"
#include "extension/range_arguments.h"
#include "extension/row_stream.h"
#include "extension/source_files.h"

namespace failback {

namespace {

constexpr int32_t min_block_size = 512;
constexpr int32_t max_block_size = 64 * 1024;

class BlockChecksumStream final : public RowStream {
public:
    // `digests` stays as long as the stream.
    BlockChecksumStream(std::vector<Range> ranges, int32_t block_size, std::span<const unsigned char> digests)
        : ranges_(std::move(ranges)), block_size_(static_cast<size_t>(block_size)), digests_(digests), buffer_(compared_chunk_bytes)
    {
    }

    // A row for each chunk: what bounds the memory.
    bool next(Datum *values, bool *nulls) override
    {
        for (;; begin_next_range()) {
            check_interrupts();
            if (index_ == ranges_.size())
                return false;
            const Range &range = ranges_[index_];
            if (!file_ || file_.path() != range.path)
                file_ = SourceFile(std::string(range.path));
            if (!file_)
                continue;
            if (done_ >= range.length)
                continue;
            auto part = std::span(buffer_).first(static_cast<size_t>(std::min(range.length - done_, compared_chunk_bytes)));
            const int64_t offset = range.offset + done_;
            const size_t got = file_.read(offset, part);
            sums_.clear();
            append_block_sums(sums_, part.first(got), block_size_); // part of a block at the end of a file is not compared
            const bool known = got == part.size() && has_known_digest();
            // What a file gets behind its end meanwhile is not of this chunk.
            done_ = got == part.size() ? done_ + static_cast<int64_t>(got) : range.length;
            if (sums_.empty())
                continue;
            nulls[2] = known;
            pg_call([&] {
                values[0] = Int32GetDatum(static_cast<int32_t>(index_ + 1));
                values[1] = Int64GetDatum(offset);
                values[2] = known ? Datum{0} : bytea_datum(sums_);
            });
            return true;
        }
    }

private:
    void begin_next_range()
    {
        chunks_before_ += static_cast<size_t>(chunks_in(ranges_[index_].length));
        index_++;
        done_ = 0;
    }

    // Of the chunk at done_.
    bool has_known_digest() const
    {
        if (digests_.empty())
            return false;
        const size_t chunk = chunks_before_ + static_cast<size_t>(done_ / compared_chunk_bytes);
        const Checksum digest = chunk_digest(sums_);
        return std::ranges::equal(digest.bytes, digests_.subspan(chunk * block_sum_bytes, block_sum_bytes));
    }

    const std::vector<Range> ranges_;
    const size_t block_size_;
    const std::span<const unsigned char> digests_;
    size_t index_ = 0;         // of the range under way
    size_t chunks_before_ = 0; // of the ranges before it
    int64_t done_ = 0;         // bytes of it
    SourceFile file_;
    std::vector<unsigned char> buffer_;
    std::vector<unsigned char> sums_;
};

// Empty if there are none.
std::span<const unsigned char> digests_argument(FunctionCallInfo fcinfo, const std::vector<Range> &ranges)
{
    if (PG_ARGISNULL(4))
        return {};
    size_t chunks = 0;
    for (const Range &range : ranges)
        chunks += static_cast<size_t>(chunks_in(range.length));
    // A copy: the argument itself does not live as long as the stream.
    const auto *digests = pg_call([&] { return PG_GETARG_BYTEA_P_COPY(4); });
    const std::span<const unsigned char> bytes(reinterpret_cast<const unsigned char *>(VARDATA(digests)), VARSIZE(digests) - VARHDRSZ);
    if (bytes.size() != chunks * block_sum_bytes)
        throw Error(ErrorCode::invalid_parameter, format("argument \"digests\" has %zu bytes, not %zu", bytes.size(), chunks * block_sum_bytes),
                    format("It needs %zu for every %lld bytes, or the rest of them, of every range.", block_sum_bytes,
                           static_cast<long long>(compared_chunk_bytes)));
    return bytes;
}

RowStream *make_block_checksums(FunctionCallInfo fcinfo)
{
    std::vector<Range> ranges = range_arguments(fcinfo);
    require_not_null(fcinfo, 3, "block_size");
    int32_t block_size = PG_GETARG_INT32(3);
    if (block_size < min_block_size || block_size > max_block_size || (block_size & (block_size - 1)) != 0)
        throw Error(ErrorCode::invalid_parameter,
                    format("block size must be a power of two between %d and %d bytes", min_block_size, max_block_size));
    std::span<const unsigned char> digests = digests_argument(fcinfo, ranges);
    return new BlockChecksumStream(std::move(ranges), block_size, digests);
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_block_checksums);
Datum pg_failback_block_checksums(PG_FUNCTION_ARGS)
{
    return failback::stream_rows(fcinfo, failback::make_block_checksums);
}
}
