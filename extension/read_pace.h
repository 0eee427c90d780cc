// Reading no faster than asked for, so that a busy server is not hurt.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace failback {

class ReadPace {
public:
    // bytes_per_second: 0 for no limit.
    explicit ReadPace(int64_t bytes_per_second) : rate_(bytes_per_second) {}

    // Counts what was read, and sleeps until the rate allows more. Ends with an error when the query is cancelled. Every
    // second of sleep at the latest, `meanwhile` is called.
    void has_read(int64_t bytes, const std::function<void()> &meanwhile = {});

private:
    using Clock = std::chrono::steady_clock;
    int64_t rate_;
    Clock::time_point due_ = Clock::now(); // when what was read so far is paid for
};

} // namespace failback
