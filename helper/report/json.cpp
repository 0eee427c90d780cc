#include "helper/report/json.h"

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

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

void write_report(const std::string &path, const std::string &text)
{
    if (path == "-") {
        if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
            throw io_error("write", "standard output", errno);
        return;
    }
    // A reader sees the whole report or the one before. A pipe or a device is written to, not replaced.
    struct stat existing;
    bool special = stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode);
    std::string written_path = special ? path : path + ".tmp";
    std::FILE *file = std::fopen(written_path.c_str(), "we");
    if (file == nullptr)
        throw io_error("create file", written_path, errno);
    int failure = 0;
    if (std::fwrite(text.data(), 1, text.size(), file) != text.size())
        failure = errno;
    if (std::fclose(file) != 0 && failure == 0)
        failure = errno;
    if (failure == 0 && !special && std::rename(written_path.c_str(), path.c_str()) != 0)
        failure = errno;
    if (failure == 0)
        return;
    if (!special)
        unlink(written_path.c_str());
    throw io_error("write file", path, failure);
}

} // namespace failback
