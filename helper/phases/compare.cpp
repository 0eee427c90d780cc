#include "helper/phases/compare.h"

#include "common/block_sums.h"
#include "helper/cancel.h"
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

    // What of a batch the target has: the checksums of each piece's blocks, and the digests of all chunks.
    struct OwnSums {
        std::vector<std::vector<unsigned char>> blocks; // piece by piece
        std::vector<unsigned char> digests;
    };

    OwnSums read_target(const std::vector<Piece> &batch) const
    {
        OwnSums own;
        std::vector<unsigned char> content(static_cast<size_t>(compared_chunk_bytes));
        for (const Piece &piece : batch) {
            std::vector<unsigned char> &sums = own.blocks.emplace_back();
            FileDescriptor fd = context_.target.open_read(piece.target->path);
            ::posix_fadvise(fd.get(), piece.offset, piece.length, POSIX_FADV_SEQUENTIAL);
            for (int64_t done = 0; done < piece.length; done += compared_chunk_bytes) {
                check_cancelled();
                auto part = std::span(content).first(static_cast<size_t>(std::min(piece.length - done, compared_chunk_bytes)));
                const size_t before = sums.size();
                if (read_at(fd.get(), part, piece.offset + done, piece.target->path) != part.size())
                    throw Error(ErrorCode::wrong_state, format("file \"%s\" has become shorter", piece.target->path.c_str()),
                                "Something is at work on the target.");
                append_block_sums(sums, part, block_size_);
                const Checksum digest = chunk_digest(std::span(sums).subspan(before));
                own.digests.insert(own.digests.end(), digest.bytes.begin(), digest.bytes.end());
            }
        }
        return own;
    }

    // Chunks first: of one that is equal the source sends nothing but that. Both sides read all of it once.
    void compare(ChunkReader &reader, const std::vector<Piece> &batch)
    {
        const OwnSums own = read_target(batch);
        std::vector<ByteRange> ranges;
        std::vector<int64_t> compared; // up to this offset
        for (const Piece &piece : batch) {
            ranges.push_back({piece.target->path, piece.offset, piece.length});
            compared.push_back(piece.offset);
        }
        reader.checksum_blocks({ranges, block_size_, own.digests}, [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
            const Piece &piece = batch[range];
            const int64_t end = piece.offset + piece.length;
            // What was passed over, where a file had shrunk and has grown again, was not compared.
            add_blocks(piece, compared[range], offset);
            const int64_t covered = sums.empty() ? std::min(end - offset, compared_chunk_bytes)
                                                 : static_cast<int64_t>(sums.size() / block_sum_bytes) * block_size_;
            compare_row(piece, offset, own.blocks[range], sums);
            compared[range] = offset + covered;
            context_.progress.add(covered);
        });
        // A file that has shrunk or gone meanwhile; and nobody can make us believe by silence that blocks are equal.
        for (size_t i = 0; i < batch.size(); i++)
            add_blocks(batch[i], compared[i], batch[i].offset + batch[i].length);
    }

    void add_blocks(const Piece &piece, int64_t from, int64_t to)
    {
        if (from >= to)
            return;
        std::lock_guard lock(mutex_);
        for (int64_t offset = from; offset < to; offset += block_size_)
            differing_.add_block(piece.relation.relation, block_number(piece, offset));
        context_.progress.add(to - from);
    }

    uint32_t block_number(const Piece &piece, int64_t offset) const
    {
        return static_cast<uint32_t>(int64_t{piece.relation.segment} * segment_blocks_ + offset / block_size_);
    }

    // `own`: of the piece's blocks, `theirs`: of consecutive ones from `offset` on.
    void compare_row(const Piece &piece, int64_t offset, std::span<const unsigned char> own, std::span<const unsigned char> theirs)
    {
        const uint32_t first = block_number(piece, offset);
        own = own.subspan(static_cast<size_t>((offset - piece.offset) / block_size_) * block_sum_bytes);
        for (uint32_t i = 0; i * block_sum_bytes < theirs.size(); i++) {
            if (std::memcmp(&own[i * block_sum_bytes], &theirs[i * block_sum_bytes], block_sum_bytes) == 0)
                continue;
            std::lock_guard lock(mutex_);
            differing_.add_block(piece.relation.relation, first + i);
        }
    }

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

namespace {

// Already before the backup's checkpoint, in case another one begins between that and the hold that counts: it keeps what was
// held when it began. If it cannot be held it may still be after that checkpoint.
void hold_what_there_is(Source &source)
{
    const SourceState state = source.state(); // what was inspected may be gone by now
    try {
        source.hold_wal(state.in_recovery ? last_completed(parse_control_file(state.control_file, "pg_control of the source")).redo
                                          : state.current);
    } catch (const Error &error) {
        if (error.code() != ErrorCode::wrong_state && error.code() != ErrorCode::undefined_file)
            throw;
    }
}

} // namespace

Checkpoint begin_comparison(Inspection &inspection, Source &source)
{
    hold_what_there_is(source);
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
