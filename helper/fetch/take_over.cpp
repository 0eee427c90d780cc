#include "helper/fetch/take_over.h"

#include "common/error.h"
#include "common/payload_compression.h"
#include "helper/fetch/candidates.h"
#include "helper/fetch/stager.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/parallel.h"
#include "helper/target/staging.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>

namespace failback {

namespace {

constexpr size_t checksum_bytes = 16;
// What is asked for at once.
constexpr int64_t bytes_per_batch = 16 * 1024 * 1024;
constexpr size_t ranges_per_batch = 4096;

// Blocks that were staged and match the source now go to staging again as if they had just arrived.
class TakeOver {
public:
    TakeOver(Source &source, const TargetDirectory &target, const std::vector<FileAction> &actions,
             const FetchOptions &options, SourceChanges &changes)
        : source_(source), target_(target), actions_(actions), options_(options), changes_(changes), wanted_(actions, options.block_size)
    {
    }

    TakenOver run()
    {
        std::vector<EarlierStaging> all = earlier_staging(target_);
        struct Part {
            const EarlierStaging *earlier;
            const std::string *redo_file;
        };
        std::vector<Part> parts;
        for (const EarlierStaging &earlier : all)
            for (const std::string &redo_file : earlier.redo_files)
                parts.push_back({&earlier, &redo_file});
        run_parallel(options_.jobs, parts.size(), [&](size_t i) { one(*parts[i].earlier, *parts[i].redo_file, i); });
        if (result_.bytes > 0) {
            result_.remaining = actions_;
            for (size_t i = 0; i < actions_.size(); i++)
                result_.remaining[i].fetch = wanted_.left(i);
        }
        remove_earlier_staging(target_);
        return std::move(result_);
    }

private:
    struct Worker {
        std::unique_ptr<ChunkReader> reader;
        Stager stager;
        std::vector<Candidate> batch;
        int64_t bytes = 0; // of the batch
    };

    void one(const EarlierStaging &earlier, const std::string &redo_file, size_t number)
    {
        Worker worker{source_.open_reader(),
                      Stager(target_, actions_, format("%s/%s.taken.%zu", staging_name, options_.redo_name.c_str(), number), changes_),
                      {}, 0};
        StagedContent staged(target_, earlier, redo_file);
        staged.read([&](uint32_t earlier_action, const Extent &part, std::span<const unsigned char> content) {
            wanted_.take(earlier.actions[earlier_action].path, part, content, worker.batch);
            worker.bytes += part.length;
            if (worker.bytes >= bytes_per_batch || worker.batch.size() >= ranges_per_batch)
                settle(worker);
        });
        settle(worker);
        worker.stager.finish(options_.sync);
        // Now it lies in this run's own files, from which the next one would take it.
        target_.remove_file(redo_file);
        std::lock_guard lock(mutex_);
        if (worker.stager.redo().length > 0)
            result_.staged.redo_files.push_back(worker.stager.redo());
        result_.staged.bytes_received += worker.reader->bytes_received();
        result_.staged.bytes_staged += worker.stager.bytes_staged();
    }

    // Asks for the checksums of the batch, keeps what matches and gives back the rest.
    void settle(Worker &worker)
    {
        std::vector<ByteRange> ranges;
        for (const Candidate &candidate : worker.batch)
            ranges.push_back({actions_[candidate.action].read_from(), candidate.offset, static_cast<int64_t>(candidate.content.size())});
        std::vector<std::vector<char>> matches(worker.batch.size());
        const size_t block = options_.block_size;
        if (!ranges.empty())
            worker.reader->checksum_blocks({ranges, options_.block_size},
                                           [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
                const Candidate &candidate = worker.batch[range];
                auto first = static_cast<size_t>(offset - candidate.offset);
                std::vector<char> &match = matches[range];
                match.resize(candidate.content.size() / block);
                for (size_t i = 0; i * checksum_bytes < sums.size(); i++) {
                    auto bytes = std::span(candidate.content).subspan(first + i * block, block);
                    match[first / block + i] = std::memcmp(default_checksum_algorithm().compute(bytes).bytes.data(),
                                                           &sums[i * checksum_bytes], checksum_bytes) == 0;
                }
            });
        for (size_t i = 0; i < worker.batch.size(); i++)
            keep_matching(worker, worker.batch[i], matches[i]);
        worker.batch.clear();
        worker.bytes = 0;
    }

    void keep_matching(Worker &worker, const Candidate &candidate, std::vector<char> &match)
    {
        const size_t block = options_.block_size;
        match.resize(candidate.content.size() / block); // what the source does not have (any more)
        for (size_t from = 0; from < match.size();) {
            size_t to = from;
            while (to < match.size() && match[to] == match[from])
                to++;
            auto bytes = std::span(candidate.content).subspan(from * block, (to - from) * block);
            int64_t offset = candidate.offset + static_cast<int64_t>(from * block);
            if (match[from])
                stage(worker.stager, candidate.action, offset, bytes);
            else
                wanted_.give_back(candidate.action, {offset, static_cast<int64_t>(bytes.size())});
            from = to;
        }
    }

    void stage(Stager &stager, uint32_t action, int64_t offset, std::span<const unsigned char> content)
    {
        Request request;
        int64_t length = static_cast<int64_t>(content.size());
        request.ranges.push_back({actions_[action].read_from(), offset, length});
        request.owners.push_back(action);
        request.bytes = length;
        stager.begin(request);
        ChunkRow row;
        row.first_range = 1;
        row.results = {&length, 1};
        row.finished = true;
        row.raw_size = static_cast<int32_t>(length);
        row.payload = content;
        std::vector<unsigned char> packed;
        if (actions_[action].staging == StagingKind::redo) {
            // As it would have arrived: the redo file is to stay small.
            const CompressionAlgorithm &lz4 = find_compression(CompressionId::lz4);
            packed.resize(lz4.bound(content.size()));
            packed.resize(lz4.compress(content, packed, lz4.default_level));
            if (packed.size() < content.size()) {
                row.compression = static_cast<int16_t>(CompressionId::lz4);
                row.payload = packed;
            }
        }
        stager.row(row);
        if (options_.progress)
            options_.progress(length);
        std::lock_guard lock(mutex_);
        result_.bytes += length;
    }

    Source &source_;
    const TargetDirectory &target_;
    const std::vector<FileAction> &actions_;
    const FetchOptions &options_;
    SourceChanges &changes_;
    Wanted wanted_;
    std::mutex mutex_;
    TakenOver result_;
};

} // namespace

TakenOver take_over(Source &source, const TargetDirectory &target, const std::vector<FileAction> &actions,
                    const FetchOptions &options, SourceChanges &changes)
{
    return TakeOver(source, target, actions, options, changes).run();
}

} // namespace failback
