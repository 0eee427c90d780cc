// pg_failback_chunk_checksums(): checksums of consecutive chunks of one file.

#include "common/checksum.h"
#include "extension/row_stream.h"
#include "extension/source_files.h"

namespace failback {

namespace {

constexpr int64_t min_chunk_size = 512;
constexpr int64_t max_chunk_size = int64_t{1} << 30;
constexpr size_t read_size = 256 * 1024; // bytes read at a time: what bounds the memory

class ChunkChecksumStream final : public RowStream {
public:
    ChunkChecksumStream(const std::string &path, int64_t offset, int64_t length, int64_t chunk_size,
                        const ChecksumAlgorithm &algorithm)
        : file_(path), at_(offset), left_(length), chunk_size_(chunk_size), algorithm_(algorithm),
          buffer_(std::min<size_t>(read_size, static_cast<size_t>(chunk_size)))
    {
    }

    bool next(Datum *values, bool *) override
    {
        if (!file_ || left_ == 0)
            return false;
        const int64_t wanted = std::min(left_, chunk_size_);
        int64_t done = 0;
        auto checksummer = algorithm_.start();
        while (done < wanted) {
            check_interrupts();
            auto part = std::span(buffer_).first(std::min<size_t>(buffer_.size(), static_cast<size_t>(wanted - done)));
            size_t n = file_.read(at_ + done, part);
            checksummer->update(part.first(n));
            done += static_cast<int64_t>(n);
            if (n < part.size()) {
                left_ = done; // the file ends here
                break;
            }
        }
        if (done == 0)
            return false;
        const Checksum checksum = checksummer->finish();
        pg_call([&] {
            values[0] = Int64GetDatum(at_);
            values[1] = Int64GetDatum(done);
            values[2] = bytea_datum(std::span(checksum.bytes).first(checksum.length));
        });
        at_ += done;
        left_ -= done;
        return true;
    }

private:
    SourceFile file_;
    int64_t at_;
    int64_t left_;
    int64_t chunk_size_;
    const ChecksumAlgorithm &algorithm_;
    std::vector<unsigned char> buffer_;
};

RowStream *make_chunk_checksums(FunctionCallInfo fcinfo)
{
    std::string path = text_argument(fcinfo, 0, "path");
    int64_t offset = PG_GETARG_INT64(1);
    int64_t length = PG_GETARG_INT64(2);
    int64_t chunk_size = PG_GETARG_INT64(3);
    const ChecksumAlgorithm &algorithm = find_checksum_algorithm(text_argument(fcinfo, 4, "algorithm"));

    ServedPaths().check(path);
    if (offset < 0)
        throw Error(ErrorCode::invalid_parameter, "offset must not be negative");
    if (length < 0)
        throw Error(ErrorCode::invalid_parameter, "length must not be negative");
    if (length > INT64_MAX - offset)
        throw Error(ErrorCode::invalid_parameter, "offset and length are out of range");
    if (chunk_size < min_chunk_size || chunk_size > max_chunk_size)
        throw Error(ErrorCode::invalid_parameter,
                    format("chunk size must be between %lld and %lld bytes", static_cast<long long>(min_chunk_size),
                           static_cast<long long>(max_chunk_size)));
    return new ChunkChecksumStream(path, offset, length, chunk_size, algorithm);
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_chunk_checksums);
Datum pg_failback_chunk_checksums(PG_FUNCTION_ARGS)
{
    return failback::stream_rows(fcinfo, failback::make_chunk_checksums);
}
}
