// SIGINT, SIGTERM and SIGHUP ask us to stop; work that can be stopped looks here.
#pragma once

#include <chrono>

namespace failback {

// For the whole process, once. SIGHUP stays ignored where the caller ignores it (nohup). SIGPIPE is ignored: a broken connection is reported by the call that meets it.
void install_cancel_handlers();

// Throws Error(cancelled) once a signal has come. Cheap; any thread.
void check_cancelled();

// Sleeps; throws Error(cancelled) soon after a signal has come.
void pause_for(std::chrono::milliseconds duration);

// What has to be put in order after a signal too: in this thread check_cancelled() does not throw as long as one exists.
// Only for work that ends soon by itself.
class Uncancellable {
public:
    Uncancellable();
    ~Uncancellable();
    Uncancellable(const Uncancellable &) = delete;
    Uncancellable &operator=(const Uncancellable &) = delete;
};

} // namespace failback
