// Which WAL segments the new standby needs, which of them the target has, and what goes. Pure: no I/O.
#pragma once

#include "common/manifest.h"
#include "helper/cluster/timeline_history.h"
#include "helper/plan/plan.h"

#include <set>
#include <string>
#include <vector>

namespace failback {

struct WalPlanInput {
    const std::vector<FileEntry> *target = nullptr; // the target's manifest, ascending by path
    const TimelineHistory *source_history = nullptr;
    uint32_t segment_size = 0; // bytes
    std::set<std::string> staged; // names of common segments that lie in staging already (from the archive)
    std::set<std::string> fetched; // names of segments that lie in staging as the source has them
    Lsn start;                 // redo pointer that recovery starts from
    Lsn divergence;            // both have the same WAL before it; 0: none of the target's is relied on
    Lsn end;                   // recovery's end (exclusive): WAL is needed up to here
};

// The last timeline that has any of the segment before `end`: under its number a server with this history has it in pg_wal.
// Throws Error(internal) for a history that does not reach it.
TimelineId wal_segment_timeline(const TimelineHistory &history, uint64_t segment, uint32_t segment_size, Lsn end);

// Name of the segment as it stands in pg_wal of a server with this history: that of the last timeline that has any
// of it. Throws Error(internal) for a history that does not reach it.
std::string wal_segment_name(const TimelineHistory &history, uint64_t segment, uint32_t segment_size, Lsn end);

// Actions in pg_wal: needed segments that the target lacks are replaced from the source (only bytes before `end` are
// fetched, the rest is zeros), with an archive_status/NAME.done for complete ones, as pg_basebackup leaves them;
// common ones that recovery reads stay, with their archive_status; everything else in pg_wal but history files goes.
std::vector<FileAction> plan_wal(const WalPlanInput &input);

// Position from which on the source has to keep WAL: the first byte of WAL that the target lacks.
Lsn first_wal_from_source(const WalPlanInput &input);

// Paths of segments and history files in pg_wal that are named after a timeline later than `current`.
std::vector<std::string> wal_of_later_timelines(const std::vector<FileEntry> &target, TimelineId current);

} // namespace failback
