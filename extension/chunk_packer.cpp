#include "extension/chunk_packer.h"

#include <fcntl.h>

namespace failback {

namespace {

// A row of nothing but vanished or empty ranges has to end as well.
constexpr size_t max_results_per_row = 4096;
// How far the kernel is told ahead of the reading.
constexpr size_t read_ahead_ranges = 128;
// Longer ranges are read in sequence, which the kernel notices by itself.
constexpr int64_t read_ahead_bytes = 256 * 1024;

} // namespace

ChunkPacker::ChunkPacker(std::vector<Range> ranges, bool verify_pages) : ranges_(std::move(ranges))
{
    if (verify_pages) {
        verifier_.emplace();
        if (!verifier_->enabled())
            verifier_.reset();
    }
}

void ChunkPacker::open(std::string_view path)
{
    if (!path_.empty() && path_ == path)
        return;
    file_ = SourceFile(); // one descriptor at a time
    path_ = path;
    relation_ = parse_relation_path(path_);
    file_ = SourceFile(path_);
    advised_ = current_;
}

void ChunkPacker::read_ahead()
{
    if (advised_ < current_)
        advised_ = current_;
    // In batches, so that the kernel is not asked once a range with a window that is full already.
    if (advised_ > current_ + read_ahead_ranges / 2)
        return;
    for (; advised_ < ranges_.size() && advised_ < current_ + read_ahead_ranges; ++advised_) {
        const Range &range = ranges_[advised_];
        if (range.path != path_)
            break;
        if (range.length > 0)
            ::posix_fadvise(file_.fd(), range.offset, std::min(range.length, read_ahead_bytes), POSIX_FADV_WILLNEED);
    }
}

// A relation's page is not torn apart at the end of a row: it could not be verified.
size_t ChunkPacker::room_for(const Range &range, size_t room) const
{
    if (!relation_ || range.length - done_ <= static_cast<int64_t>(room))
        return room;
    const int64_t end = range.offset + done_ + static_cast<int64_t>(room);
    const int64_t aligned_end = end - end % BLCKSZ;
    return static_cast<size_t>(std::max<int64_t>(0, aligned_end - range.offset - done_));
}

size_t ChunkPacker::read(const Range &range, std::span<unsigned char> out)
{
    const int64_t offset = range.offset + done_;
    size_t n = file_.read(offset, out);
    if (verifier_ && relation_)
        n = verifier_->verify(file_, *relation_, offset, out.first(n));
    return n;
}

bool ChunkPacker::pack(std::span<unsigned char> payload, PackedRow &row)
{
    if (current_ == ranges_.size())
        return false;
    row.first_range = static_cast<int32_t>(current_ + 1);
    row.start = done_;
    row.results.clear();
    row.finished = true;
    row.size = 0;

    while (current_ < ranges_.size() && row.results.size() < max_results_per_row) {
        check_interrupts();
        const Range &range = ranges_[current_];
        open(range.path);
        if (!file_) {
            row.results.push_back(range_vanished);
            ++current_;
            continue;
        }
        const int64_t left = range.length - done_;
        const size_t room = room_for(range, payload.size() - row.size);
        const size_t wanted = static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(room)));
        if (wanted == 0 && left > 0)
            break; // the row is full
        read_ahead();
        const size_t n = read(range, payload.subspan(row.size, wanted));
        row.results.push_back(static_cast<int64_t>(n));
        row.size += n;
        done_ += static_cast<int64_t>(n);
        if (n == wanted && done_ < range.length) {
            row.finished = false; // continues in the next row
            return true;
        }
        ++current_;
        done_ = 0;
    }
    return true;
}

} // namespace failback
