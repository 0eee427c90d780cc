// Equal timeline numbers do not prove equal histories: two standbys promoted apart both reach the next number.
#pragma once

#include "helper/phases/inspect.h"
#include "helper/wal/segment_provider.h"

#include <optional>

namespace failback {

// Compares the target's WAL on its current timeline, back from `target_end`, with the source's segments of the same
// names. nullopt: the same as far as the target's goes. Otherwise the first record that differs starts at the result.
// Throws Error(undefined_file) if the source has none of that WAL any more, so that nothing can be said.
std::optional<Lsn> find_same_timeline_divergence(SegmentProvider &target_wal, const Inspection &inspection,
                                                 Source &source, Lsn target_end);

} // namespace failback
