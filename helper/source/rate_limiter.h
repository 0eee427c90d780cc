// --max-rate and --max-rate-read: all connections together receive, or have read, no more than so much a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace failback {

class RateLimiter {
public:
    // bytes_per_second: more than 0, or 0 for no limit.
    explicit RateLimiter(int64_t bytes_per_second) : rate_(bytes_per_second) {}

    // Counts what has been received, or is going to be read, and waits until it was due. Not receiving is what slows a
    // sender down.
    // Thread-safe; throws Error(cancelled).
    void received(int64_t bytes);

    int64_t rate() const { return rate_; }

private:
    using Clock = std::chrono::steady_clock;
    const int64_t rate_;
    std::mutex mutex_;
    Clock::time_point due_ = Clock::now(); // when what was received so far is paid for
};

} // namespace failback
