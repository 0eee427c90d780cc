#include "helper/source/local_reader.h"

#include "common/block_sums.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace failback {

namespace {

// A row of nothing but vanished or empty ranges has to end as well.
constexpr size_t max_results_per_row = 4096;

// What a server would refuse is a mistake of ours here too.
void check_ranges(std::span<const ByteRange> ranges)
{
    int64_t total = 0;
    for (const ByteRange &range : ranges) {
        if (range.offset < 0 || range.length < 0 || range.length > INT64_MAX - range.offset)
            throw Error(ErrorCode::invalid_parameter,
                        format("offset and length asked for of file \"%s\" are out of range", std::string(range.path).c_str()));
        if (range.length > max_bytes_per_call - total)
            throw Error(ErrorCode::limit_exceeded, "too many bytes in one call");
        total += range.length;
    }
    if (ranges.size() > static_cast<size_t>(max_ranges_per_call))
        throw Error(ErrorCode::limit_exceeded, "too many ranges in one call");
}

} // namespace

LocalFileReader::LocalFileReader(const BeneathDirectory &directory, std::string path) : path_(std::move(path))
{
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    fd_ = directory.open(path_, O_RDONLY | O_NONBLOCK);
    path_.insert(0, directory.path() + "/");
    if (!fd_) {
        if (errno == ENOENT || errno == ENOTDIR)
            return;
        if (errno == ELOOP || errno == EXDEV)
            throw Error(ErrorCode::access_denied, format("a part of \"%s\" is a symbolic link", path_.c_str()));
        throw io_error("open file", path_, errno);
    }
    struct stat status;
    if (::fstat(fd_.get(), &status) != 0)
        throw io_error("examine file", path_, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorCode::invalid_parameter, format("\"%s\" is not a regular file", path_.c_str()));
}

size_t LocalFileReader::read(int64_t offset, std::span<unsigned char> out) const
{
    size_t done = 0;
    while (done < out.size()) {
        ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done, offset + static_cast<int64_t>(done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw io_error("read file", path_, errno);
        if (got == 0)
            break;
        done += static_cast<size_t>(got);
    }
    return done;
}

void LocalChunkReader::open(std::string_view path)
{
    if (path_ == path && !path_.empty())
        return;
    path_.clear(); // should the next line throw
    file_ = LocalFileReader(*directory_, std::string(path));
    path_ = path;
}

void LocalChunkReader::send(const Filling &filling, bool finished, const std::function<void(const ChunkRow &)> &on_row)
{
    ChunkRow row;
    row.first_range = filling.first_range;
    row.start = filling.start;
    row.results = results_;
    row.finished = finished;
    row.raw_size = static_cast<int32_t>(filling.size);
    row.payload = std::span<const unsigned char>(buffer_).first(filling.size);
    row.checksum = row_checksum(row);
    received_ += row.raw_size;
    on_row(row);
}

void LocalChunkReader::read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row)
{
    check_ranges(ranges);
    buffer_.resize(row_payload_bytes);
    path_.clear(); // a file of an earlier call may have been replaced
    size_t current = 0;
    int64_t done = 0; // bytes of the current range sent already
    while (current < ranges.size()) {
        Filling filling{static_cast<int32_t>(current + 1), done, 0};
        results_.clear();
        bool finished = true;
        while (current < ranges.size() && results_.size() < max_results_per_row) {
            const ByteRange &range = ranges[current];
            open(range.path);
            if (!file_) {
                results_.push_back(range_vanished);
                current++;
                continue;
            }
            size_t room = buffer_.size() - filling.size;
            size_t wanted = static_cast<size_t>(std::min<int64_t>(range.length - done, static_cast<int64_t>(room)));
            if (wanted == 0 && range.length > done)
                break; // the row is full
            size_t got = file_.read(range.offset + done, std::span(buffer_).subspan(filling.size, wanted));
            results_.push_back(static_cast<int64_t>(got));
            filling.size += got;
            done += static_cast<int64_t>(got);
            if (got == wanted && done < range.length) {
                finished = false; // continues in the next row
                break;
            }
            current++;
            done = 0;
        }
        send(filling, finished, on_row);
    }
}

void LocalChunkReader::checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row)
{
    // No content travels: the limit on bytes is for read() alone.
    const uint32_t block_size = request.block_size;
    if (!std::has_single_bit(block_size) || block_size > compared_chunk_bytes)
        throw Error(ErrorCode::invalid_parameter, format("block size %u is not a power of two, or too large", block_size));
    std::span<const unsigned char> digests = request.digests;
    std::vector<unsigned char> sums;
    buffer_.resize(static_cast<size_t>(compared_chunk_bytes));
    path_.clear();
    for (size_t i = 0; i < request.ranges.size(); i++) {
        const ByteRange &range = request.ranges[i];
        if (range.offset < 0 || range.length < 0 || range.length > INT64_MAX - range.offset || range.offset % block_size != 0)
            throw Error(ErrorCode::invalid_parameter,
                        format("range asked for of file \"%s\" does not begin at a block", std::string(range.path).c_str()));
        auto known = digests;
        if (!digests.empty())
            digests = digests.subspan(static_cast<size_t>(chunks_in(range.length)) * block_sum_bytes);
        open(range.path);
        for (int64_t done = 0; file_ && done < range.length; done += compared_chunk_bytes) {
            auto wanted = static_cast<size_t>(std::min(compared_chunk_bytes, range.length - done));
            size_t got = file_.read(range.offset + done, std::span(buffer_).first(wanted));
            sums.clear();
            append_block_sums(sums, std::span(buffer_).first(got), block_size);
            if (!known.empty()) {
                if (got == wanted && std::ranges::equal(chunk_digest(sums).bytes, known.first(block_sum_bytes))) {
                    on_row(i, range.offset + done, {});
                    sums.clear();
                }
                known = known.subspan(block_sum_bytes);
            }
            if (!sums.empty()) {
                received_ += static_cast<int64_t>(sums.size());
                on_row(i, range.offset + done, sums);
            }
            if (got < wanted)
                break; // the file ends here
        }
    }
}

} // namespace failback
