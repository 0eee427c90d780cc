// Runs one function for many indexes on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace failback {

// Calls work(i) for each i in [0, count), in no particular order. The first exception ends the rest and is rethrown
// here, after all threads have ended.
inline void run_parallel(int threads, size_t count, const std::function<void(size_t)> &work)
{
    std::atomic<size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_mutex;
    auto worker = [&] {
        try {
            for (size_t i = next++; i < count; i = next++)
                work(i);
        } catch (...) {
            std::lock_guard lock(failure_mutex);
            if (!failure)
                failure = std::current_exception();
            next = count;
        }
    };
    size_t extra = std::min<size_t>(count, static_cast<size_t>(std::max(threads, 1)));
    std::vector<std::jthread> pool;
    for (size_t i = 1; i < extra; i++)
        pool.emplace_back(worker);
    worker();
    pool.clear();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace failback
