#include "helper/cancel.h"

#include "common/error.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace failback {

namespace {

std::atomic<int> received{0};
thread_local int uncancellable = 0;
static_assert(std::atomic<int>::is_always_lock_free, "written by a signal handler");

void note_signal(int signal)
{
    received = signal;
}

} // namespace

void install_cancel_handlers()
{
    struct sigaction action = {};
    action.sa_handler = note_signal; // no SA_RESTART: waiting calls return at once
    for (int signal : {SIGINT, SIGTERM})
        ::sigaction(signal, &action, nullptr);
    struct sigaction inherited;
    bool ignored = ::sigaction(SIGHUP, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
    if (!ignored)
        ::sigaction(SIGHUP, &action, nullptr);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
}

Uncancellable::Uncancellable()
{
    uncancellable++;
}

Uncancellable::~Uncancellable()
{
    uncancellable--;
}

void check_cancelled()
{
    if (int signal = received; signal != 0 && uncancellable == 0)
        throw Error(ErrorCode::cancelled, format("stopped by signal %d", signal));
}

void pause_for(std::chrono::milliseconds duration)
{
    constexpr std::chrono::milliseconds slice(100);
    auto end = std::chrono::steady_clock::now() + duration;
    for (;;) {
        check_cancelled();
        auto left = end - std::chrono::steady_clock::now();
        if (left <= left.zero())
            return;
        std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, slice));
    }
}

} // namespace failback
