#include "helper/phases/difference.h"

namespace failback {

Checkpoint last_completed(const ControlFile &control)
{
    Checkpoint checkpoint;
    checkpoint.record = control.checkpoint();
    checkpoint.redo = control.redo();
    checkpoint.timeline = TimelineId{control.data.checkPointCopy.ThisTimeLineID};
    checkpoint.full_page_writes = control.data.checkPointCopy.fullPageWrites;
    return checkpoint;
}

} // namespace failback
