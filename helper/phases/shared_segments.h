// The target's WAL, with gaps before the divergence filled from the source: it has the same segments.
#pragma once

#include "helper/source/source.h"
#include "helper/wal/segment_provider.h"

#include <memory>

namespace failback {

// To be used only once it is known that both have the same WAL before `divergence`: what comes from the source cannot
// show it. Segments that end at or before `divergence` are asked of `target_wal`, then of the source, on a connection of
// its own that is made when it is first needed; all others of `target_wal` alone. Both must outlive the result.
std::unique_ptr<SegmentProvider> make_shared_segments(SegmentProvider &target_wal, Source &source, uint32_t segment_size,
                                                      Lsn divergence);

} // namespace failback
