#include "helper/phases/foreign_wal.h"

#include "common/path_text.h"
#include "helper/phases/manifests.h"
#include "helper/plan/wal_plan.h"

#include <algorithm>

namespace failback {

namespace {

constexpr const char *status_directory = "pg_wal/archive_status";

// Does the file give the same switch points as the source's history up to that timeline?
bool is_of_source(const TargetDirectory &target, const std::string &path, const TimelineHistory &source)
{
    TimelineId timeline{static_cast<uint32_t>(std::stoul(std::string(last_part(path)).substr(0, 8), nullptr, 16))};
    auto content = target.read_file(path, max_history_bytes);
    if (!content)
        return false;
    std::string_view text{reinterpret_cast<const char *>(content->data()), content->size()};
    try {
        TimelineHistory history = parse_timeline_history(text, timeline, path);
        auto same = [](const TimelineEntry &a, const TimelineEntry &b) { return a.timeline == b.timeline && a.begin == b.begin; };
        return history.entries.size() <= source.entries.size() &&
               std::equal(history.entries.begin(), history.entries.end(), source.entries.begin(), same);
    } catch (const Error &) {
        return false; // damaged: as good as foreign
    }
}

} // namespace

void remove_foreign_wal(const Context &context, const Inspection &inspection)
{
    const TargetDirectory &target = context.target;
    std::vector<std::string> paths = wal_of_later_timelines(list_wal(target), inspection.target_control.timeline());
    std::erase_if(paths, [&](const std::string &path) {
        return path.ends_with(".history") && is_of_source(target, path, inspection.source_history);
    });
    bool dry_run = context.options.dry_run;
    bool status_removed = false;
    for (const std::string &path : paths) {
        pg_log_info("%s \"%s\": it is of a timeline that the target is not on", dry_run ? "would remove" : "removing", path.c_str());
        if (dry_run)
            continue;
        for (const char *state : {".ready", ".done"})
            status_removed |= target.remove_file(status_directory + std::string("/") + std::string(last_part(path)) + state);
        target.remove_file(path);
    }
    if (paths.empty() || dry_run || context.options.no_sync)
        return;
    if (status_removed)
        target.sync(status_directory);
    target.sync("pg_wal");
}

} // namespace failback
