// Which bytes of a relation's file have to come from the source. Pure.
#pragma once

#include "common/path_rules.h"
#include "helper/plan/plan.h"
#include "helper/wal/block_map.h"

namespace failback {

// For one file (segment) of a main fork that both sides have: the blocks the map names, and what the source's file
// has beyond the target's end. Sizes in bytes; the result lies inside [0, source_size), ascending and merged.
std::vector<Extent> changed_extents(const BlockMap &blocks, const RelationPath &file, int64_t source_size,
                                    int64_t target_size, uint32_t block_size, uint32_t relation_segment_blocks);

} // namespace failback
