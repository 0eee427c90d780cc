#include "helper/plan/content_difference.h"

#include <algorithm>
#include <set>

namespace failback {

namespace {

class Finder {
public:
    Finder(const BlockMap &blocks, int64_t block_size, int64_t segment_blocks)
        : blocks_(blocks), block_size_(block_size), segment_blocks_(segment_blocks)
    {
    }

    ContentDifference run(const std::vector<FileEntry> &sources, const std::vector<FileEntry> &targets)
    {
        note_unlogged(sources);
        note_unlogged(targets);
        auto source = sources.begin();
        auto target = targets.begin();
        while (source != sources.end() || target != targets.end()) {
            bool no_target = target == targets.end();
            if (no_target || (source != sources.end() && source->path < target->path)) {
                one_side(*source++, FileState::only_on_source);
            } else if (source == sources.end() || target->path < source->path) {
                one_side(*target++, FileState::only_on_target);
            } else {
                both(*source++, *target++);
            }
        }
        return std::move(found_);
    }

private:
    void note_unlogged(const std::vector<FileEntry> &entries)
    {
        for (const FileEntry &entry : entries)
            if (auto path = parse_relation_path(entry.path); path && path->fork == ForkKind::init)
                unlogged_.insert(path->relation);
    }

    bool is_compared(const FileEntry &entry, const std::optional<RelationPath> &relation) const
    {
        if (entry.kind != FileKind::regular)
            return false;
        switch (classify_path(entry.path)) {
        case PathClass::wal_segment:
        case PathClass::wal_history:
        case PathClass::wal_other:
        case PathClass::control_file:
        case PathClass::excluded:
        case PathClass::staging:
        case PathClass::relation_temporary:
            return false;
        case PathClass::relation_main:
        case PathClass::relation_fork:
            // A start makes them anew from the init fork.
            return !relation || relation->fork == ForkKind::init || !unlogged_.contains(relation->relation);
        case PathClass::configuration:
            return false;
        case PathClass::other:
            break;
        }
        // Statistics lie on disk only while a server is stopped.
        return !is_private_key(entry.path) && entry.path != "postmaster.opts" && !entry.path.starts_with("pg_stat/");
    }

    int64_t blocks_of(int64_t size) const { return (size + block_size_ - 1) / block_size_; }

    void one_side(const FileEntry &entry, FileState state)
    {
        FileDifference difference;
        difference.relation = parse_relation_path(entry.path);
        if (!is_compared(entry, difference.relation))
            return;
        difference.path = entry.path;
        difference.state = state;
        bool source = state == FileState::only_on_source;
        (source ? difference.source_size : difference.target_size) = entry.size;
        (source ? found_.only_on_source : found_.only_on_target)++;
        if (difference.relation && difference.relation->fork == ForkKind::main)
            difference.blocks = difference.differing_blocks = blocks_of(entry.size);
        found_.files.push_back(std::move(difference));
    }

    void both(const FileEntry &source, const FileEntry &target)
    {
        auto relation = parse_relation_path(source.path);
        if (!is_compared(source, relation) || !is_compared(target, relation))
            return;
        found_.files_compared++;
        FileDifference difference;
        difference.path = source.path;
        difference.source_size = source.size;
        difference.target_size = target.size;
        difference.relation = relation;
        if (relation && relation->fork == ForkKind::main) {
            if (!compare_relation(difference))
                return;
            found_.differing_relation_files++;
        } else {
            if (source.size == target.size && source.has_checksum && target.has_checksum && source.checksum == target.checksum)
                return;
            found_.differing_other_files++;
        }
        found_.files.push_back(std::move(difference));
    }

    // False if they are equal.
    bool compare_relation(FileDifference &difference)
    {
        int64_t first = difference.relation->segment * segment_blocks_;
        // Part of a block, as a crash leaves it, is not compared: it differs.
        int64_t common = std::min(difference.source_size, difference.target_size) / block_size_;
        difference.blocks = blocks_of(std::max(difference.source_size, difference.target_size));
        difference.differing_blocks = difference.blocks - common;
        for (const BlockRun &run : blocks_.runs(difference.relation->relation, static_cast<uint32_t>(first),
                                                static_cast<uint32_t>(first + common)))
            difference.differing_blocks += run.count;
        found_.blocks_compared += difference.blocks;
        found_.differing_blocks += difference.differing_blocks;
        return difference.differing_blocks > 0 || difference.source_size != difference.target_size;
    }

    const BlockMap &blocks_;
    const int64_t block_size_;
    const int64_t segment_blocks_;
    std::set<RelationId> unlogged_;
    ContentDifference found_;
};

} // namespace

ContentDifference find_content_difference(const std::vector<FileEntry> &source, const std::vector<FileEntry> &target,
                                          const BlockMap &blocks, uint32_t block_size, uint32_t relation_segment_blocks)
{
    return Finder(blocks, block_size, relation_segment_blocks).run(source, target);
}

} // namespace failback
