// Phase "scan": where the target's WAL parts from the source's, and which blocks it changed since.
#pragma once

#include "helper/phases/difference.h"
#include "helper/phases/inspect.h"

#include <optional>
#include <string>

namespace failback {

struct ScanOutcome {
    enum class Verdict {
        rewind,    // `difference` tells what to fetch
        no_rewind, // the target's WAL ends before or at the divergence: it can follow the source as it is
        unusable,  // WAL does not tell; only a comparison of content can
        source_behind, // the source is a standby whose WAL ends at `difference.divergence`, before the target's
    };
    Verdict verdict = Verdict::rewind;
    Difference difference;
    std::string reason; // why unusable; the divergence may be known all the same
    bool diverged = false; // proved: the target has WAL that the source will never have
    Lsn target_end;     // no_rewind, source_behind: where the target's WAL ends
};

// `wal` supplies the target's segments. Throws Error only for what a comparison could not do either (cancelled, connection lost).
ScanOutcome scan(const Context &context, const Inspection &inspection, SegmentProvider &wal, Source &source);

} // namespace failback
