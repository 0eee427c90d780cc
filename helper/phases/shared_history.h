// Timeline numbers and switch points do not prove that two servers share their WAL: two standbys promoted apart both
// reach the next number, at the same place even. Only the WAL itself tells.
#pragma once

#include "helper/phases/inspect.h"
#include "helper/wal/segment_provider.h"

#include <optional>

namespace failback {

// Compares the target's WAL with the source's, back from `upto` (at most the end of the target's WAL) to a segment
// that is wholly the same, but not before `since` (where the timeline under question begins on both). nullopt: the same up
// to there. What a standby has not replayed and has no file of counts as different. Otherwise the first record that differs starts at the result. Checksums travel, not WAL.
// Throws Error(undefined_file) if either side has none of that WAL any more, so that nothing can be said.
std::optional<Lsn> find_hidden_divergence(SegmentProvider &target_wal, const Inspection &inspection, Source &source,
                                          Lsn since, Lsn upto);

// Whether the source has a record of its own at `divergence`, a result of the above. If not, its WAL only ends there: it is
// behind the target. Throws as the above.
bool source_goes_on(SegmentProvider &target_wal, const Inspection &inspection, Source &source, Lsn divergence);

} // namespace failback
