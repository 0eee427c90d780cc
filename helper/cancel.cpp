#include "helper/cancel.h"

#include "common/error.h"

#include <atomic>
#include <csignal>

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
    for (int signal : {SIGINT, SIGTERM, SIGHUP})
        ::sigaction(signal, &action, nullptr);
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

} // namespace failback
