// --max-rate: all connections together receive no more than so much a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace failback {

class RateLimiter {
public:
    // bytes_per_second: more than 0, or 0 for no limit.
    explicit RateLimiter(int64_t bytes_per_second) : rate_(bytes_per_second) {}

    // Counts what has been received and waits until it was due. Not reading is what slows the sender down.
    // Thread-safe; throws Error(cancelled).
    void received(int64_t bytes);

private:
    using Clock = std::chrono::steady_clock;
    const int64_t rate_;
    std::mutex mutex_;
    Clock::time_point due_ = Clock::now(); // when what was received so far is paid for
};

} // namespace failback
