// Configuration files, and a few that a server keeps without WAL, may be written on the source between being listed and being fetched: more of them is asked for than was listed. Pure: no I/O.
#pragma once

#include "helper/plan/plan.h"

namespace failback {

// Asks for up to twice the size listed, and 64 kB at the least, of every such file that is fetched. Returns the plan indexes and
// the sizes asked for.
std::vector<GrowthLimit> leave_room_to_grow(std::vector<FileAction> &actions);

// After the fetch, which has set the sizes to what came: throws Error(wrong_state) if a file filled its room, as it may
// be longer still.
void check_room_to_grow(const std::vector<FileAction> &actions, const std::vector<GrowthLimit> &limits);

} // namespace failback
