// Reads the WAL that a new standby will replay, and looks for records whose replay over files copied in the middle of
// it does not give what the source has.
#pragma once

#include "helper/cluster/timeline_history.h"
#include "helper/wal/segment_provider.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace failback {

struct TablespaceCreation {
    uint32_t oid = 0;
    std::string location; // absolute, on the source; empty for an in-place one
    Lsn at;
};

struct ReplayCheck {
    // Reasons why a copy made file by file cannot be completed by replay from `start`:
    // - CREATE DATABASE ... STRATEGY file_copy and ALTER DATABASE SET TABLESPACE: replay copies a directory as it is then, which
    //   in our copy is newer than it was on the source; the server relies on a checkpoint that comes before such a copy;
    // - full_page_writes turned off: pages torn while they were read are not repaired;
    // - wal_level "minimal": what is not in WAL cannot be replayed, and no standby starts.
    std::vector<std::string> hazards;
    // Replay makes the tablespace's link anew, to this place: it must be where the standby has it.
    std::vector<TablespaceCreation> tablespaces;
    uint64_t records = 0;
};

struct ReplayCheckOptions {
    const TimelineHistory *history = nullptr; // the source's
    uint32_t segment_size = 0;      // bytes
    uint64_t system_identifier = 0;
    Lsn start;                      // redo pointer that replay starts from
    Lsn end;                        // a record's end: WAL must be readable up to here, every record checked
    std::function<void()> tick;     // called now and then; may throw to cancel
};

// Throws Error(data_corrupted), Error(undefined_file) naming the gap.
ReplayCheck check_replay(SegmentProvider &segments, const ReplayCheckOptions &options);

} // namespace failback
