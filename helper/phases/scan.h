// Phase "scan": where the target's WAL parts from the source's, and which blocks it changed since.
#pragma once

#include "helper/phases/inspect.h"
#include "helper/wal/wal_scan.h"

#include <optional>

namespace failback {

struct ScanOutcome {
    Lsn divergence;              // end of the WAL that both have
    TimelineId divergence_timeline;
    Checkpoint common;           // the last checkpoint before it
    // Where recovery starts: the earliest of the common checkpoint and of the last ones that each side completed.
    // Blocks that were not flushed by then are only in WAL.
    Checkpoint start;
    WalScanResult wal;
};

// nullopt: no rewind is required, the target's WAL ends before or at the divergence. Throws Error(data_corrupted) for
// WAL that is needed and missing or damaged, Error(wrong_state) when WAL does not tell all changed blocks.
std::optional<ScanOutcome> scan(const Context &context, const Inspection &inspection, Source &source);

} // namespace failback
