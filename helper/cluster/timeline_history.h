// A server's timeline history: which timeline held which stretch of WAL.
#pragma once

#include "helper/cluster/lsn.h"

#include <string_view>
#include <vector>

namespace failback {

struct TimelineEntry {
    TimelineId timeline;
    Lsn begin; // first byte on this timeline; 0 for the first
    Lsn end;   // first byte no longer on it; 0 for the last (still growing)
    bool operator==(const TimelineEntry &) const = default;
};

// Oldest first; begin of each = end of the one before; never empty.
struct TimelineHistory {
    std::vector<TimelineEntry> entries;
    TimelineId current() const { return entries.back().timeline; }
    // The timeline whose stretch holds `lsn`.
    TimelineId timeline_at(Lsn lsn) const;
};

// Parses the content of NNNNNNNN.history of timeline `current`. Comments (#) and blank lines are allowed;
// timelines must increase and switch points must not go back. An empty text is right for timeline 1 only.
// Throws Error(data_corrupted) with `name` (for messages) and the line number.
TimelineHistory parse_timeline_history(std::string_view text, TimelineId current, std::string_view name);

// A longer file is no history: one line for each promotion.
inline constexpr int64_t max_history_bytes = 16 * 1024 * 1024;

// "pg_wal/NNNNNNNN.history"
std::string history_file_path(TimelineId timeline);

struct CommonAncestor {
    size_t target_index;   // entry of the target's history that is the last common one
    size_t source_index;
    Lsn divergence;        // end of what both have according to the histories; 0: the last entry of both, still growing
};

// Compares from the start: same timeline and same begin. Throws Error(wrong_state) if there is none.
CommonAncestor find_common_ancestor(const TimelineHistory &target, const TimelineHistory &source);

} // namespace failback
