#include "helper/source/rate_limiter.h"

#include "helper/cancel.h"

#include <algorithm>
#include <thread>

namespace failback {

void RateLimiter::received(int64_t bytes)
{
    if (rate_ <= 0)
        return;
    Clock::time_point due;
    {
        std::lock_guard lock(mutex_);
        // Time in which nothing was asked for is not saved up.
        due_ = std::max(due_, Clock::now()) + std::chrono::microseconds(bytes * 1000000 / rate_);
        due = due_;
    }
    while (Clock::now() < due) {
        check_cancelled();
        std::this_thread::sleep_until(std::min(due, Clock::now() + std::chrono::milliseconds(200)));
    }
}

} // namespace failback
