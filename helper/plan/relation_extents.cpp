#include "helper/plan/relation_extents.h"

#include <algorithm>
#include <limits>

namespace failback {

std::vector<Extent> changed_extents(const BlockMap &blocks, const RelationPath &file, int64_t source_size,
                                    int64_t target_size, uint32_t block_size, uint32_t relation_segment_blocks)
{
    const int64_t block = block_size;
    const int64_t first_block = int64_t{file.segment} * relation_segment_blocks;
    const int64_t end_block = std::min<int64_t>(first_block + (source_size + block - 1) / block,
                                                std::numeric_limits<uint32_t>::max());
    std::vector<Extent> extents;
    if (end_block > first_block) {
        for (const BlockRun &run : blocks.runs(file.relation, static_cast<uint32_t>(first_block),
                                               static_cast<uint32_t>(end_block))) {
            int64_t offset = (run.first - first_block) * block;
            extents.push_back({offset, std::min(run.count * block, source_size - offset)});
        }
    }

    // A crash may have left part of a block at the target's end: that block is not to be trusted.
    int64_t tail = target_size - target_size % block;
    if (source_size > tail) {
        while (!extents.empty() && extents.back().offset >= tail)
            extents.pop_back();
        if (!extents.empty() && extents.back().offset + extents.back().length >= tail)
            extents.back().length = source_size - extents.back().offset;
        else
            extents.push_back({tail, source_size - tail});
    }
    return extents;
}

} // namespace failback
