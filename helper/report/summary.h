// What was done, for people and for programs.
#pragma once

#include "helper/cluster/lsn.h"
#include "helper/report/progress.h"
#include "helper/wal/wal_scan.h"

#include <optional>
#include <string>
#include <vector>

namespace failback {

enum class Outcome { done, no_rewind_required, dry_run, failed };

struct Summary {
    Outcome outcome = Outcome::done;
    bool compared = false; // contents were compared; else the target's WAL told what to copy
    std::string error; // for failed: the message

    Lsn divergence;             // 0: not known
    TimelineId divergence_timeline;
    Lsn checkpoint;             // last common checkpoint: its redo
    TimelineId checkpoint_timeline;
    Lsn end_of_recovery;        // the new minRecoveryPoint
    TimelineId source_timeline;

    std::array<double, phase_count> phase_seconds{};
    double total_seconds = 0;

    int64_t bytes_compared = 0; // of each side, by checksums
    int64_t bytes_fetched = 0;  // content that came from the source, bytes
    int64_t bytes_received = 0; // what this took on the connections, after compression
    int64_t bytes_staged = 0;   // written to staging
    int64_t bytes_taken_over = 0; // not fetched, as an interrupted run had staged them
    int64_t files_replaced = 0; // written whole
    int64_t files_changed = 0;  // some blocks of them
    int64_t blocks_replaced = 0;
    int64_t files_removed = 0;
    int64_t files_kept = 0;
    int64_t peak_memory_bytes = 0; // 0: not known

    std::optional<LostWork> lost; // set when the target's WAL was scanned
    std::vector<std::string> warnings;
};

// Copies the times of every phase.
void take_times(Summary &summary, const Progress &progress);

// Lines for the log, plain words, no newline.
std::vector<std::string> summary_lines(const Summary &summary);
// What the old primary had that is now gone (will be, in a dry run); nothing if there is no lost work.
std::vector<std::string> lost_work_lines(const LostWork &lost, Lsn divergence, bool dry_run);
// summary_lines and lost_work_lines through pg_log_info.
void log_summary(const Summary &summary);

// microseconds since 2000-01-01 -> "2026-11-22T14:23:19.123456Z"
std::string timestamp_text(int64_t timestamptz);
// "512 bytes", "8.0 kB", "680 MB": 1024 to the step, as pg_size_pretty has it.
std::string size_text(int64_t bytes);

} // namespace failback
