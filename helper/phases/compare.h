// Phase "compare", the twin of "scan": which blocks differ, by checksums of both sides. Needs none of the target's WAL.
#pragma once

#include "helper/phases/difference.h"
#include "helper/phases/manifests.h"

namespace failback {

// The source went on to another timeline since it was inspected.
struct SourcePromoted : Error {
    SourcePromoted()
        : Error(ErrorCode::wrong_state, "the source was promoted while we were looking at it", "",
                "The target is unchanged. Run the command again.")
    {
    }
};

// Makes the source ready to be compared with and copied from: page images in WAL whatever its settings, a checkpoint,
// and WAL held from that checkpoint on. Returns where recovery has to start. Must come before read_manifests(). Throws Error,
// SourcePromoted; `inspection` is then what it was.
Checkpoint begin_comparison(Inspection &inspection, Source &source);

// Compares every relation file that both have, block by block, over several connections. Content counts as equal on
// 128 bits. Each side is read once.
BlockMap compare_blocks(const Context &context, const Inspection &inspection, const Manifests &manifests, Source &source);

} // namespace failback
