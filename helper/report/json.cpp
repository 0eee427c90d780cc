#include "helper/report/json.h"

#include <nlohmann/json.hpp>

namespace failback {

namespace {

using Json = nlohmann::ordered_json;

const char *outcome_name(Outcome outcome)
{
    switch (outcome) {
    case Outcome::done: return "done";
    case Outcome::no_rewind_required: return "no rewind required";
    case Outcome::dry_run: return "dry run";
    case Outcome::failed: return "failed";
    }
    return "";
}

Json position(Lsn lsn, TimelineId timeline)
{
    if (!lsn.valid())
        return nullptr;
    return Json{{"lsn", lsn.text()}, {"timeline", timeline.value}};
}

Json time_or_null(int64_t timestamptz)
{
    return timestamptz == 0 ? Json(nullptr) : Json(timestamp_text(timestamptz));
}

Json lost_work(const LostWork &lost)
{
    return Json{
        {"commits", lost.commits},
        {"aborts", lost.aborts},
        {"prepared", lost.prepared},
        {"first_commit_time", time_or_null(lost.first_commit_time)},
        {"last_commit_time", time_or_null(lost.last_commit_time)},
        {"wal_bytes", lost.wal_bytes},
    };
}

} // namespace

std::string summary_json(const Summary &summary)
{
    Json seconds = Json::object();
    for (size_t i = 0; i < phase_count; i++)
        seconds[phase_name(static_cast<Phase>(i))] = summary.phase_seconds[i];
    seconds["total"] = summary.total_seconds;

    Json report = {
        {"version", 1}, // of this format
        {"outcome", outcome_name(summary.outcome)},
        {"error", summary.error.empty() ? Json(nullptr) : Json(summary.error)},
        {"divergence", position(summary.divergence, summary.divergence_timeline)},
        {"checkpoint", position(summary.checkpoint, summary.checkpoint_timeline)},
        {"consistent_at", position(summary.end_of_recovery, summary.source_timeline)},
        {"seconds", seconds},
        {"bytes",
         {{"compared", summary.bytes_compared},
          {"fetched", summary.bytes_fetched},
          {"received", summary.bytes_received},
          {"staged", summary.bytes_staged},
          {"taken_over", summary.bytes_taken_over}}},
        {"files",
         {{"replaced", summary.files_replaced},
          {"changed", summary.files_changed},
          {"removed", summary.files_removed},
          {"kept", summary.files_kept}}},
        {"blocks_replaced", summary.blocks_replaced},
        {"peak_memory_bytes", summary.peak_memory_bytes == 0 ? Json(nullptr) : Json(summary.peak_memory_bytes)},
        {"lost_work", summary.lost ? lost_work(*summary.lost) : Json(nullptr)},
        {"warnings", summary.warnings},
    };
    // File names need not be UTF-8; a message with one must not spoil the report.
    return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace failback
