// Cuts the plan's extents into requests of bounded size and hands them out to the connections, in the plan's order.
#pragma once

#include "helper/plan/plan.h"
#include "helper/source/source.h"

#include <mutex>
#include <vector>

namespace failback {

// One bulk read: ranges[i] belongs to actions[owners[i]].
struct Request {
    std::vector<ByteRange> ranges;
    std::vector<uint32_t> owners;
    int64_t bytes = 0;
};

class WorkQueue {
public:
    // A request has at most max_ranges ranges and max_bytes bytes.
    WorkQueue(const std::vector<FileAction> &actions, size_t first, size_t max_ranges, int64_t max_bytes)
        : actions_(actions), action_(first), max_ranges_(max_ranges), max_bytes_(max_bytes)
    {
    }

    // False when nothing is left. Thread-safe.
    bool next(Request &request);
    // Nothing more is handed out: a connection has failed, the others need not go on. Thread-safe.
    void close();

private:
    std::mutex mutex_;
    const std::vector<FileAction> &actions_;
    size_t action_;
    size_t extent_ = 0;
    int64_t done_ = 0; // bytes of that extent handed out already
    size_t max_ranges_;
    int64_t max_bytes_;
};

} // namespace failback
