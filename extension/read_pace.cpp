#include "extension/read_pace.h"

#include "extension/boundary.h"

extern "C" {
#include "storage/latch.h"
#include "utils/wait_event.h"
}

#include <algorithm>

namespace failback {

void ReadPace::has_read(int64_t bytes, const std::function<void()> &meanwhile)
{
    if (rate_ == 0)
        return;
    // In floating point: a rate of one byte a second is a valid one.
    std::chrono::duration<double> costs(static_cast<double>(bytes) / static_cast<double>(rate_));
    // Time in which nothing was asked for is not saved up.
    due_ = std::max(due_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(costs);
    // Short debts are left to run up: each sleep costs more than it lasts.
    constexpr std::chrono::milliseconds shortest_sleep{10};
    constexpr std::chrono::milliseconds longest_sleep{1000};
    if (due_ - Clock::now() < shortest_sleep)
        return;
    for (;;) {
        check_interrupts();
        if (meanwhile)
            meanwhile();
        auto left = std::chrono::ceil<std::chrono::milliseconds>(due_ - Clock::now());
        if (left.count() <= 0)
            return;
        auto sleep = static_cast<long>(std::min(left, longest_sleep).count());
        pg_call([&] {
            (void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, sleep, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
        });
    }
}

} // namespace failback
