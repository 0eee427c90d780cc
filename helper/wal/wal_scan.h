// Reads the target's WAL from the last common checkpoint to its end and says what it changed.
#pragma once

#include "helper/cluster/timeline_history.h"
#include "helper/wal/block_map.h"
#include "helper/wal/segment_provider.h"
#include "helper/wal/wal_beyond.h"

#include <functional>
#include <optional>
#include <string>

namespace failback {

struct Checkpoint {
    Lsn record;           // start of the checkpoint record
    Lsn redo;             // where its replay starts
    TimelineId timeline;  // ThisTimeLineID in it
    bool full_page_writes = false; // in force at redo
    bool shutdown = false;
};

// What the old primary did that is now gone: the transactions whose outcome stands in WAL past the divergence.
struct LostWork {
    uint64_t commits = 0;
    uint64_t aborts = 0;
    uint64_t prepared = 0;
    int64_t first_commit_time = 0; // microseconds since 2000-01-01 (TimestampTz), 0 if none
    int64_t last_commit_time = 0;
    uint64_t wal_bytes = 0;        // end of WAL minus divergence
};

struct WalScanResult {
    BlockMap blocks;
    LostWork lost;
    Lsn end_of_wal;      // end of the last valid record read
    uint64_t records = 0;
    // A setting that WAL depends on (wal_level, wal_log_hints, max_connections, ...) was changed after the divergence.
    bool parameters_changed = false;
    // Hint bits were logged (data checksums or wal_log_hints) before the server was stopped for the first time after the
    // divergence, and wal_log_hints was not turned off later.
    bool hints_were_logged = false;
    // The server was stopped cleanly after the divergence and has been started again.
    bool restarted = false;
    // Not empty: block tracking is not enough, and why (an unknown XLR_SPECIAL_REL_UPDATE record, ...).
    std::optional<std::string> untrusted;
};

struct WalScanOptions {
    const TimelineHistory *history = nullptr; // the target's
    uint32_t segment_size = 0;   // bytes
    uint64_t system_identifier = 0; // checked against each segment's long header
    Lsn start;                   // redo pointer to start from
    bool full_page_writes_at_start = true;
    Lsn divergence;              // blocks are collected from here on, or from where full_page_writes was off
    // WAL must be readable up to here, anything less is an error naming the gap. Invalid: read to the first invalid record, which
    // must not be before `at_least`.
    Lsn known_end;
    Lsn at_least;
    // If set: and after which there is no WAL of this history in these segments, see find_wal_beyond().
    const PresentSegments *present = nullptr;
    std::function<void(Lsn)> progress; // called about once per segment; may throw to cancel
};

// Throws Error(data_corrupted) naming position and segment, Error(undefined_file) for a missing segment.
WalScanResult scan_wal(SegmentProvider &segments, const WalScanOptions &options);

// Finds the last checkpoint whose record starts before `before` (and at or after nothing: goes back through
// xl_prev), on the target's history. Throws as scan_wal, and Error(wrong_state) if there is none.
Checkpoint find_last_checkpoint(SegmentProvider &segments, const TimelineHistory &history, uint32_t segment_size,
                                uint64_t system_identifier, Lsn before);

} // namespace failback
