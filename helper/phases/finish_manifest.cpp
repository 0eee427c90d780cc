#include "helper/phases/finish_manifest.h"

#include "helper/cancel.h"
#include "helper/cluster/control_file.h"
#include "helper/cluster/timeline_history.h"
#include "helper/plan/wal_plan.h"
#include "helper/target/backup_manifest.h"

#include <algorithm>

namespace failback {

namespace {

TimelineHistory history_on_target(const TargetDirectory &target, TimelineId timeline)
{
    std::string path = history_file_path(timeline);
    auto content = target.read_file(path, max_history_bytes);
    std::string_view text;
    if (content)
        text = {reinterpret_cast<const char *>(content->data()), content->size()};
    return parse_timeline_history(text, timeline, target.absolute(path));
}

// By the segments that recovery reads: the one in which a timeline begins has its name, from its first byte on.
std::vector<WalRange> wal_ranges(const TimelineHistory &history, Lsn start, Lsn end, uint32_t segment_size)
{
    std::vector<WalRange> ranges;
    for (uint64_t segment = start.value / segment_size; segment <= (end.value - 1) / segment_size; segment++) {
        TimelineId timeline = wal_segment_timeline(history, segment, segment_size, end);
        Lsn from{std::max(start.value, segment * segment_size)}, to{std::min(end.value, (segment + 1) * segment_size)};
        if (!ranges.empty() && ranges.back().timeline == timeline)
            ranges.back().end = to;
        else
            ranges.push_back({timeline, from, to});
    }
    return ranges;
}

} // namespace

void write_manifest_of_result(const Context &context, const StagedPlan &plan)
{
    ControlFile control = parse_control_file(plan.control_file, "pg_control of the plan");
    TimelineId timeline{control.data.minRecoveryPointTLI};
    BackupManifestOptions options;
    options.checksums = context.options.manifest_checksums;
    options.system_identifier = control.data.system_identifier;
    options.wal = wal_ranges(history_on_target(context.target, timeline), Lsn{plan.recovery_start}, control.min_recovery_point(),
                             control.data.xlog_seg_size);
    options.threads = context.options.jobs;
    options.progress = [&](int64_t bytes) {
        check_cancelled();
        context.progress.add(bytes);
    };
    write_backup_manifest(context.target, plan.control_file, options, !context.options.no_sync);
}

} // namespace failback
