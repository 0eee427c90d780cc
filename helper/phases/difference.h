// Where the two histories part and which blocks differ: what "scan" or its twin "compare" has found, and all that
// the later phases know of either.
#pragma once

#include "helper/cluster/control_file.h"
#include "helper/wal/wal_scan.h"

#include <set>
#include <string>

namespace failback {

struct Difference {
    // Blocks of main forks that may differ; WAL says so, or their checksums do.
    BlockMap blocks;
    // Where recovery starts. After a scan: the earliest of the common checkpoint and of the last ones that each side
    // completed, as blocks not flushed by then are only in WAL. After a comparison: the source's last checkpoint
    // before it began.
    Checkpoint start;
    // Both have the same WAL before it; 0 after a comparison, when nothing of the target's WAL is relied on.
    Lsn divergence;
    TimelineId divergence_timeline;
    std::set<std::string> restored_wal; // names of segments that the archive gave; they lie in staging
    Checkpoint common; // the last checkpoint before the divergence; unset after a comparison
};

// The checkpoint that a control file names: everything before its redo pointer is on that server's disk.
Checkpoint last_completed(const ControlFile &control);

} // namespace failback
