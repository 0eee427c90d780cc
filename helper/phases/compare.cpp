#include "helper/phases/compare.h"

#include "common/checksum.h"
#include "helper/plan/comparable_files.h"
#include "helper/target/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <mutex>

namespace failback {

namespace {

// What one connection compares at a time: enough files that small ones cost no round trip each.
constexpr int64_t bytes_per_batch = 64 * 1024 * 1024;
constexpr size_t files_per_batch = 4096;

// What of a pair is compared at a time.
struct Piece {
    const FileEntry *target;
    RelationPath relation;
    int64_t offset; // bytes, whole blocks
    int64_t length;
};

class Comparer {
public:
    Comparer(const Context &context, const Inspection &inspection, const Manifests &manifests)
        : context_(context), block_size_(inspection.target_control.data.blcksz),
          segment_blocks_(inspection.target_control.data.relseg_size), pairs_(comparable_files(manifests.source, manifests.target, block_size_))
    {
        int64_t total = 0;
        for (const ComparableFile &pair : pairs_)
            total += pair.length;
        context_.progress.set_total(total);
        context_.summary.bytes_compared += total;
    }

    BlockMap run(Source &source)
    {
        int jobs = context_.options.jobs;
        run_parallel(jobs, static_cast<size_t>(jobs), [&](size_t) {
            std::vector<Piece> batch;
            if (!next(batch))
                return;
            std::unique_ptr<ChunkReader> reader = source.open_reader();
            try {
                do
                    compare(*reader, batch);
                while (next(batch));
                std::lock_guard lock(mutex_);
                context_.summary.bytes_received += reader->bytes_received();
            } catch (...) {
                std::lock_guard lock(mutex_);
                pair_ = pairs_.size();
                throw;
            }
        });
        return std::move(differing_);
    }

private:
    // Large files in several pieces, small ones together.
    bool next(std::vector<Piece> &batch)
    {
        batch.clear();
        int64_t room = bytes_per_batch;
        std::lock_guard lock(mutex_);
        while (pair_ < pairs_.size() && room > 0 && batch.size() < files_per_batch) {
            const ComparableFile &pair = pairs_[pair_];
            int64_t length = std::min(pair.length - offset_, room);
            batch.push_back({pair.target, pair.relation, offset_, length});
            room -= length;
            offset_ += length;
            if (offset_ == pair.length) {
                offset_ = 0;
                pair_++;
            }
        }
        return !batch.empty();
    }

    void compare(ChunkReader &reader, const std::vector<Piece> &batch)
    {
        std::vector<ByteRange> ranges;
        for (const Piece &piece : batch)
            ranges.push_back({piece.target->path, piece.offset, piece.length});
        std::vector<unsigned char> content;
        size_t open = batch.size();
        FileDescriptor fd;
        std::vector<int64_t> compared(batch.size()); // up to this offset
        for (size_t i = 0; i < batch.size(); i++)
            compared[i] = batch[i].offset;
        reader.checksum_blocks(ranges, block_size_, [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
            const Piece &piece = batch[range];
            if (open != range) {
                fd = context_.target.open_read(piece.target->path);
                ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
                open = range;
            }
            compared[range] = offset + static_cast<int64_t>(sums.size() / checksum_bytes * block_size_);
            content.resize(sums.size() / checksum_bytes * block_size_);
            size_t got = read_at(fd.get(), content, offset, piece.target->path);
            compare_row(piece, offset, std::span(content).first(got), sums);
            context_.progress.add(static_cast<int64_t>(content.size()));
        });
        // A file that has shrunk or gone meanwhile; and nobody can make us believe by silence that blocks are equal.
        for (size_t i = 0; i < batch.size(); i++)
            add_blocks(batch[i], compared[i], batch[i].offset + batch[i].length);
    }

    void add_blocks(const Piece &piece, int64_t from, int64_t to)
    {
        std::lock_guard lock(mutex_);
        for (int64_t offset = from; offset < to; offset += block_size_)
            differing_.add_block(piece.relation.relation, block_number(piece, offset));
    }

    uint32_t block_number(const Piece &piece, int64_t offset) const
    {
        return static_cast<uint32_t>(int64_t{piece.relation.segment} * segment_blocks_ + offset / block_size_);
    }

    void compare_row(const Piece &piece, int64_t offset, std::span<const unsigned char> content, std::span<const unsigned char> sums)
    {
        uint32_t first = block_number(piece, offset);
        for (uint32_t i = 0; i * checksum_bytes < sums.size(); i++) {
            size_t at = size_t{i} * block_size_;
            bool equal = at + block_size_ <= content.size() &&
                         std::memcmp(default_checksum_algorithm().compute(content.subspan(at, block_size_)).bytes.data(),
                                     &sums[i * checksum_bytes], checksum_bytes) == 0;
            if (equal)
                continue;
            std::lock_guard lock(mutex_);
            differing_.add_block(piece.relation.relation, first + i);
        }
    }

    static constexpr size_t checksum_bytes = 16;

    const Context &context_;
    const uint32_t block_size_;
    const uint32_t segment_blocks_;
    const std::vector<ComparableFile> pairs_;
    std::mutex mutex_;
    size_t pair_ = 0;    // the next piece: in this pair,
    int64_t offset_ = 0; // from here on
    BlockMap differing_;
};

} // namespace

Checkpoint begin_comparison(Inspection &inspection, Source &source)
{
    SourceState state = source.begin_backup();
    if (state.timeline != inspection.source_state.timeline)
        throw SourcePromoted();
    ControlFile control = parse_control_file(state.control_file, "pg_control of the source");
    Checkpoint start = last_completed(control);
    source.hold_wal(start.redo);
    inspection.source_state = std::move(state);
    inspection.source_control = std::move(control);
    return start;
}

BlockMap compare_blocks(const Context &context, const Inspection &inspection, const Manifests &manifests, Source &source)
{
    return Comparer(context, inspection, manifests).run(source);
}

} // namespace failback
