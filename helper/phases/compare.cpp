#include "helper/phases/compare.h"

#include "common/checksum.h"
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

struct Pair {
    const FileEntry *target;
    RelationPath relation;
    int64_t length; // bytes that both have, whole blocks
};

std::vector<Pair> pairs_to_compare(const Manifests &manifests, int64_t block_size)
{
    std::vector<Pair> pairs;
    auto target = manifests.target.begin();
    for (const FileEntry &source : manifests.source) {
        while (target != manifests.target.end() && target->path < source.path)
            ++target;
        if (target == manifests.target.end())
            break;
        if (target->path != source.path || source.kind != FileKind::regular || target->kind != FileKind::regular)
            continue;
        auto relation = parse_relation_path(source.path);
        int64_t length = std::min(source.size, target->size);
        length -= length % block_size;
        if (relation && relation->fork == ForkKind::main && length > 0)
            pairs.push_back({&*target, *relation, length});
    }
    return pairs;
}

class Comparer {
public:
    Comparer(const Context &context, const Inspection &inspection, const Manifests &manifests)
        : context_(context), block_size_(inspection.target_control.data.blcksz),
          segment_blocks_(inspection.target_control.data.relseg_size), pairs_(pairs_to_compare(manifests, block_size_))
    {
        int64_t total = 0;
        for (const Pair &pair : pairs_)
            total += pair.length;
        context_.progress.set_total(total);
        context_.summary.bytes_compared += total;
    }

    BlockMap run(Source &source)
    {
        int jobs = context_.options.jobs;
        run_parallel(jobs, static_cast<size_t>(jobs), [&](size_t) {
            std::vector<Pair> batch;
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
                position_ = pairs_.size();
                throw;
            }
        });
        return std::move(differing_);
    }

private:
    // Whole files: a large one makes a batch of its own, which one call can take (a file has at most max_bytes_per_call
    // bytes as long as relation segments are of 1 GB or less; a larger one is refused by the source, not misread).
    bool next(std::vector<Pair> &batch)
    {
        batch.clear();
        int64_t bytes = 0;
        std::lock_guard lock(mutex_);
        while (position_ < pairs_.size() && batch.size() < files_per_batch) {
            const Pair &pair = pairs_[position_];
            if (!batch.empty() && bytes + pair.length > bytes_per_batch)
                break;
            batch.push_back(pair);
            bytes += pair.length;
            position_++;
        }
        return !batch.empty();
    }

    void compare(ChunkReader &reader, const std::vector<Pair> &batch)
    {
        std::vector<ByteRange> ranges;
        for (const Pair &pair : batch)
            ranges.push_back({pair.target->path, 0, pair.length});
        std::vector<unsigned char> content;
        size_t open = batch.size();
        FileDescriptor fd;
        std::vector<int64_t> compared(batch.size(), 0); // bytes
        reader.checksum_blocks(ranges, block_size_, [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
            const Pair &pair = batch[range];
            if (open != range) {
                fd = context_.target.open_read(pair.target->path);
                ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
                open = range;
            }
            compared[range] = offset + static_cast<int64_t>(sums.size() / checksum_bytes * block_size_);
            content.resize(sums.size() / checksum_bytes * block_size_);
            size_t got = read_at(fd.get(), content, offset, pair.target->path);
            compare_row(pair, offset, std::span(content).first(got), sums);
            context_.progress.add(static_cast<int64_t>(content.size()));
        });
        // A file that has shrunk or gone meanwhile; and nobody can make us believe by silence that blocks are equal.
        for (size_t i = 0; i < batch.size(); i++)
            add_blocks(batch[i], compared[i], batch[i].length);
    }

    void add_blocks(const Pair &pair, int64_t from, int64_t to)
    {
        std::lock_guard lock(mutex_);
        for (int64_t offset = from; offset < to; offset += block_size_)
            differing_.add_block(pair.relation.relation, block_number(pair, offset));
    }

    uint32_t block_number(const Pair &pair, int64_t offset) const
    {
        return static_cast<uint32_t>(int64_t{pair.relation.segment} * segment_blocks_ + offset / block_size_);
    }

    void compare_row(const Pair &pair, int64_t offset, std::span<const unsigned char> content, std::span<const unsigned char> sums)
    {
        uint32_t first = block_number(pair, offset);
        for (uint32_t i = 0; i * checksum_bytes < sums.size(); i++) {
            size_t at = size_t{i} * block_size_;
            bool equal = at + block_size_ <= content.size() &&
                         std::memcmp(default_checksum_algorithm().compute(content.subspan(at, block_size_)).bytes.data(),
                                     &sums[i * checksum_bytes], checksum_bytes) == 0;
            if (equal)
                continue;
            std::lock_guard lock(mutex_);
            differing_.add_block(pair.relation.relation, first + i);
        }
    }

    static constexpr size_t checksum_bytes = 16;

    const Context &context_;
    const uint32_t block_size_;
    const uint32_t segment_blocks_;
    const std::vector<Pair> pairs_;
    std::mutex mutex_;
    size_t position_ = 0;
    BlockMap differing_;
};

} // namespace

Checkpoint begin_comparison(Inspection &inspection, Source &source)
{
    TimelineId before = inspection.source_state.timeline;
    inspection.source_state = source.begin_backup();
    if (inspection.source_state.timeline != before)
        throw Error(ErrorCode::wrong_state, "the source was promoted while we were looking at it", "",
                    "The target is unchanged. Run the command again.");
    inspection.source_control = parse_control_file(inspection.source_state.control_file, "pg_control of the source");
    Checkpoint start = last_completed(inspection.source_control);
    source.hold_wal(start.redo);
    return start;
}

BlockMap compare_blocks(const Context &context, const Inspection &inspection, const Manifests &manifests, Source &source)
{
    return Comparer(context, inspection, manifests).run(source);
}

} // namespace failback
