#include "helper/fetch/work_queue.h"

#include <algorithm>

namespace failback {

bool WorkQueue::next(Request &request)
{
    request.ranges.clear();
    request.owners.clear();
    request.bytes = 0;
    std::lock_guard lock(mutex_);
    while (action_ < actions_.size() && request.ranges.size() < max_ranges_ && request.bytes < max_bytes_) {
        const FileAction &action = actions_[action_];
        if (extent_ == action.fetch.size()) {
            action_++;
            extent_ = 0;
            continue;
        }
        const Extent &extent = action.fetch[extent_];
        int64_t length = std::min(extent.length - done_, max_bytes_ - request.bytes);
        request.ranges.push_back({action.read_from(), extent.offset + done_, length});
        request.owners.push_back(static_cast<uint32_t>(action_));
        request.bytes += length;
        done_ += length;
        if (done_ == extent.length) {
            extent_++;
            done_ = 0;
        }
    }
    return !request.ranges.empty();
}

void WorkQueue::close()
{
    std::lock_guard lock(mutex_);
    action_ = actions_.size();
}

} // namespace failback
