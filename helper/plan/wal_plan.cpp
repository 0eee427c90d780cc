#include "helper/plan/wal_plan.h"

#include "common/error.h"
#include "common/path_rules.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace failback {

namespace {

constexpr std::string_view wal_prefix = "pg_wal/";
constexpr std::string_view status_prefix = "pg_wal/archive_status/";

struct Segments {
    std::vector<std::string> needed; // in WAL order
    std::set<std::string, std::less<>> kept;   // in the target's pg_wal
    std::set<std::string, std::less<>> staged; // in staging
    bool on_target(const std::string &name) const { return kept.contains(name) || staged.contains(name); }
};

bool has_segment(const std::vector<FileEntry> &target, const std::string &name, uint32_t segment_size)
{
    std::string path = std::string(wal_prefix) + name;
    auto found = std::lower_bound(target.begin(), target.end(), path,
                                  [](const FileEntry &entry, const std::string &p) { return entry.path < p; });
    return found != target.end() && found->path == path && found->kind == FileKind::regular && found->size == segment_size;
}

Segments sort_out(const WalPlanInput &input)
{
    Segments segments;
    // The end is what the source says.
    constexpr uint64_t max_segments = 1024 * 1024;
    if (input.end.value == 0 || input.end.value / input.segment_size > input.start.value / input.segment_size + max_segments)
        throw Error(ErrorCode::protocol_violation,
                    format("the source's WAL is said to end at %s, which cannot be", input.end.text().c_str()),
                    format("Recovery starts at %s.", input.start.text().c_str()));
    uint64_t last = (input.end.value - 1) / input.segment_size;
    for (uint64_t segment = input.start.value / input.segment_size; segment <= last; segment++) {
        std::string name = wal_segment_name(*input.source_history, segment, input.segment_size, input.end);
        // Only a segment that lies wholly before the divergence is the same on both.
        bool common = (segment + 1) * input.segment_size <= input.divergence.value;
        if (common && has_segment(*input.target, name, input.segment_size))
            segments.kept.insert(name);
        else if ((common && input.staged.contains(name)) || input.fetched.contains(name))
            segments.staged.insert(name);
        segments.needed.push_back(std::move(name));
    }
    return segments;
}

FileAction fetch_segment(const WalPlanInput &input, uint64_t segment, const std::string &name)
{
    FileAction action;
    action.kind = FileActionKind::replace;
    action.staging = StagingKind::whole_file;
    action.path = std::string(wal_prefix) + name;
    action.size = input.segment_size;
    uint64_t begin = segment * input.segment_size;
    action.fetch.push_back({0, static_cast<int64_t>(std::min<uint64_t>(input.segment_size, input.end.value - begin))});
    return action;
}

// Not to be archived again should this standby be promoted one day.
FileAction mark_archived(const std::string &name)
{
    FileAction action;
    action.kind = FileActionKind::replace;
    action.path = std::string(status_prefix) + name + ".done";
    return action;
}

// NAME of "pg_wal/NAME" or "pg_wal/archive_status/NAME.done"; empty for anything else.
std::string_view segment_of(std::string_view path)
{
    if (path.starts_with(status_prefix)) {
        path.remove_prefix(status_prefix.size());
        return path.substr(0, path.rfind('.'));
    }
    return classify_path(path) == PathClass::wal_segment ? path.substr(wal_prefix.size()) : std::string_view{};
}

} // namespace

TimelineId wal_segment_timeline(const TimelineHistory &history, uint64_t segment, uint32_t segment_size, Lsn end)
{
    uint64_t limit = std::min((segment + 1) * segment_size, end.value);
    // They do not decrease. A source may list very many.
    auto after = std::partition_point(history.entries.begin(), history.entries.end(),
                                      [&](const TimelineEntry &entry) { return entry.begin.value < limit; });
    if (after != history.entries.begin())
        return std::prev(after)->timeline;
    throw Error(ErrorCode::internal, format("no timeline holds WAL segment %llu", static_cast<unsigned long long>(segment)));
}

std::string wal_segment_name(const TimelineHistory &history, uint64_t segment, uint32_t segment_size, Lsn end)
{
    uint64_t per_id = (uint64_t{1} << 32) / segment_size;
    return format("%08X%08X%08X", wal_segment_timeline(history, segment, segment_size, end).value,
                  static_cast<uint32_t>(segment / per_id), static_cast<uint32_t>(segment % per_id));
}

std::vector<FileAction> plan_wal(const WalPlanInput &input)
{
    Segments segments = sort_out(input);
    std::vector<FileAction> actions;
    uint64_t number = input.start.value / input.segment_size;
    for (const std::string &name : segments.needed) {
        if (!segments.kept.contains(name)) {
            FileAction action = fetch_segment(input, number, name);
            bool complete = action.fetch[0].length == action.size;
            if (segments.staged.contains(name))
                action.fetch.clear();
            actions.push_back(std::move(action));
            if (complete)
                actions.push_back(mark_archived(name));
        }
        number++;
    }
    std::set<std::string, std::less<>> written;
    for (const FileAction &action : actions)
        written.insert(action.path);
    for (const FileEntry &entry : *input.target) {
        PathClass path_class = classify_path(entry.path);
        if (entry.kind == FileKind::directory || (path_class != PathClass::wal_segment && path_class != PathClass::wal_other))
            continue;
        // A path that is also written must not be removed: apply may be repeated.
        if (written.contains(entry.path) || segments.kept.contains(segment_of(entry.path)))
            continue;
        FileAction action;
        action.kind = FileActionKind::remove;
        action.path = entry.path;
        action.file_kind = entry.kind;
        actions.push_back(std::move(action));
    }
    return actions;
}

Lsn first_wal_from_source(const WalPlanInput &input)
{
    Segments segments = sort_out(input);
    uint64_t number = input.start.value / input.segment_size;
    for (const std::string &name : segments.needed) {
        if (!segments.on_target(name))
            return std::max(input.start, Lsn{number * input.segment_size});
        number++;
    }
    return input.end;
}

std::vector<std::string> wal_of_later_timelines(const std::vector<FileEntry> &target, TimelineId current)
{
    std::vector<std::string> paths;
    for (const FileEntry &entry : target) {
        PathClass path_class = classify_path(entry.path);
        if (path_class != PathClass::wal_segment && path_class != PathClass::wal_history)
            continue;
        if (std::stoul(entry.path.substr(wal_prefix.size(), 8), nullptr, 16) > current.value)
            paths.push_back(entry.path);
    }
    return paths;
}

} // namespace failback
