// pg_failback_block_checksums(): checksums of every block of many ranges, packed, for comparing whole clusters.

#include "common/checksum.h"
#include "extension/range_arguments.h"
#include "extension/row_stream.h"
#include "extension/source_files.h"

namespace failback {

namespace {

constexpr int32_t min_block_size = 512;
constexpr int32_t max_block_size = 64 * 1024;
constexpr size_t read_size = 512 * 1024; // bytes of content behind one row: bounds the memory

class BlockChecksumStream final : public RowStream {
public:
    BlockChecksumStream(std::vector<Range> ranges, int32_t block_size)
        : ranges_(std::move(ranges)), block_size_(static_cast<size_t>(block_size)), buffer_(read_size)
    {
    }

    bool next(Datum *values, bool *) override
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
            int64_t left = range.length - done_;
            auto part = std::span(buffer_).first(static_cast<size_t>(std::min<int64_t>(left, read_size)));
            const int64_t offset = range.offset + done_;
            size_t got = file_.read(offset, part);
            got -= got % block_size_; // part of a block at the end of a file is not compared
            if (got == 0)
                continue;
            checksum(part.first(got));
            done_ += static_cast<int64_t>(got);
            pg_call([&] {
                values[0] = Int32GetDatum(static_cast<int32_t>(index_ + 1));
                values[1] = Int64GetDatum(offset);
                values[2] = bytea_datum(sums_);
            });
            return true;
        }
    }

private:
    void begin_next_range()
    {
        index_++;
        done_ = 0;
    }

    void checksum(std::span<const unsigned char> content)
    {
        sums_.clear();
        for (size_t at = 0; at < content.size(); at += block_size_) {
            const Checksum sum = default_checksum_algorithm().compute(content.subspan(at, block_size_));
            sums_.insert(sums_.end(), sum.bytes.begin(), sum.bytes.begin() + sum.length);
        }
    }

    const std::vector<Range> ranges_;
    const size_t block_size_;
    size_t index_ = 0;  // of the range under way
    int64_t done_ = 0;  // bytes of it
    SourceFile file_;
    std::vector<unsigned char> buffer_;
    std::vector<unsigned char> sums_;
};

RowStream *make_block_checksums(FunctionCallInfo fcinfo)
{
    std::vector<Range> ranges = range_arguments(fcinfo);
    require_not_null(fcinfo, 3, "block_size");
    int32_t block_size = PG_GETARG_INT32(3);
    if (block_size < min_block_size || block_size > max_block_size || (block_size & (block_size - 1)) != 0)
        throw Error(ErrorCode::invalid_parameter,
                    format("block size must be a power of two between %d and %d bytes", min_block_size, max_block_size));
    return new BlockChecksumStream(std::move(ranges), block_size);
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
