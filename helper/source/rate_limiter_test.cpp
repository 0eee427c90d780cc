#include "helper/source/rate_limiter.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

using Clock = std::chrono::steady_clock;

TEST(RateLimiter, NoLimitNeverWaits)
{
    RateLimiter limiter(0);
    auto begin = Clock::now();
    for (int i = 0; i < 1000; i++)
        limiter.received(int64_t{1} << 30);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(1));
}

TEST(RateLimiter, TakesAtLeastAsLongAsTheRateSays)
{
    RateLimiter limiter(1000000);
    auto begin = Clock::now();
    for (int i = 0; i < 10; i++)
        limiter.received(20000);
    EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(199));
}

} // namespace
} // namespace failback
