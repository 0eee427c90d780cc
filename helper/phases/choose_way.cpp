#include "helper/phases/choose_way.h"

#include "common/checksum.h"
#include "helper/plan/comparable_files.h"
#include "helper/plan/way_costs.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace failback {

namespace {

constexpr int64_t sample_blocks = 4096;
constexpr size_t checksum_bytes = 16;

int64_t fetched_bytes(const std::vector<FileAction> &actions)
{
    int64_t bytes = 0;
    for (const FileAction &action : actions)
        for (const Extent &extent : action.fetch)
            bytes += extent.length;
    return bytes;
}

// What is fetched of these files whichever way the differing blocks are found.
int64_t fetched_either_way(const Plan &plan, const std::vector<ComparableFile> &files)
{
    int64_t bytes = 0;
    for (const FileAction &action : plan.actions) {
        if (action.kind == FileActionKind::replace) {
            for (const Extent &extent : action.fetch)
                bytes += extent.length;
        } else if (action.kind == FileActionKind::patch) {
            auto found = std::lower_bound(files.begin(), files.end(), action.path, [](const ComparableFile &file, const std::string &path) {
                return file.target->path < path;
            });
            bool known = found != files.end() && found->target->path == action.path;
            bytes += std::max<int64_t>(0, action.size - (known ? found->length : 0));
        }
    }
    return bytes;
}

class Sample {
public:
    Sample(const Context &context, const std::vector<ComparableFile> &files, int64_t bytes, int64_t block_size)
        : context_(context), block_size_(block_size)
    {
        // The same blocks each time, so that a repeated command says the same.
        std::mt19937_64 random(4096);
        std::uniform_int_distribution<int64_t> any(0, bytes / block_size - 1);
        std::vector<int64_t> positions;
        for (int64_t i = 0; i < std::min(sample_blocks, bytes / block_size); i++)
            positions.push_back(any(random) * block_size);
        std::sort(positions.begin(), positions.end());
        positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
        int64_t first = 0; // of the file, in all files one after the other
        auto file = files.begin();
        for (int64_t position : positions) {
            while (position >= first + file->length)
                first += (file++)->length;
            ranges_.push_back({file->target->path, position - first, block_size});
        }
    }

    int64_t blocks() const { return static_cast<int64_t>(ranges_.size()); }

    int64_t count_differing(Source &source)
    {
        int64_t equal = 0;
        std::vector<unsigned char> content(static_cast<size_t>(block_size_));
        source.open_reader()->checksum_blocks({ranges_, static_cast<uint32_t>(block_size_)},
                                              [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
            std::string path(ranges_[range].path);
            FileDescriptor fd = context_.target.open_read(path);
            if (sums.size() == checksum_bytes && read_at(fd.get(), content, offset, path) == content.size())
                equal += std::memcmp(default_checksum_algorithm().compute(content).bytes.data(), sums.data(), checksum_bytes) == 0;
        });
        return blocks() - equal;
    }

private:
    const Context &context_;
    const int64_t block_size_;
    std::vector<ByteRange> ranges_;
};

} // namespace

std::optional<std::string> reason_to_compare(const Context &context, const Inspection &inspection, const Manifests &manifests,
                                             const Plan &plan, const std::vector<FileAction> &wal, Source &source)
{
    if (context.options.mode != Mode::automatic)
        return std::nullopt;
    const int64_t block_size = inspection.target_control.data.blcksz;
    std::vector<ComparableFile> files = comparable_files(manifests.source, manifests.target, block_size);
    WayCosts costs;
    costs.content_bytes = plan.bytes_to_fetch;
    costs.wal_bytes = fetched_bytes(wal);
    costs.fetched_anyway = fetched_either_way(plan, files);
    // A standby makes no checkpoint for us: what it has replayed since its last one is WAL that a comparison needs too.
    Lsn current = inspection.source_state.current;
    if (inspection.source_state.in_recovery && inspection.source_control.redo() < current)
        costs.fetched_anyway += static_cast<int64_t>(current.value - inspection.source_control.redo().value);
    for (const ComparableFile &file : files)
        costs.compared_bytes += file.length;
    bool explain = context.options.explain_mode;
    if (costs.compared_bytes == 0 || (!explain && !worth_sampling(costs)))
        return std::nullopt;
    Sample sample(context, files, costs.compared_bytes, block_size);
    costs.sampled_blocks = sample.blocks();
    costs.differing_blocks = sample.count_differing(source);
    bool compare = comparing_is_cheaper(costs, block_size);
    if (explain || compare) {
        context.progress.break_line();
        pg_log_info("%s", wal_way_text(costs).c_str());
        pg_log_info("%s", comparing_way_text(costs, block_size).c_str());
    }
    if (!compare) {
        if (explain)
            pg_log_info("going by WAL");
        return std::nullopt;
    }
    return "it moves less";
}

void explain_comparison(const Context &context, const Plan &plan, const std::vector<FileAction> &wal)
{
    context.progress.break_line();
    pg_log_info("%s", compared_text(plan.bytes_to_fetch + fetched_bytes(wal), context.summary.bytes_compared).c_str());
}

} // namespace failback
