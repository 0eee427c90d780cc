// A target that needs no rewind may still have WAL of a history that is not the source's, from a time when it followed
// another server.
#pragma once

#include "helper/phases/inspect.h"

namespace failback {

// Removes from the target's pg_wal what is of timelines after its own, but for history files that say what the source
// says: recovery would follow it, with recovery_target_timeline = latest, or take it for the source's WAL. Segments of
// the source's own later timelines go too, as nothing tells them apart; the source has them. A dry run only says so.
void remove_foreign_wal(const Context &context, const Inspection &inspection);

} // namespace failback
