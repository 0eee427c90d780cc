// SIGINT, SIGTERM and SIGHUP ask us to stop; work that can be stopped looks here.
#pragma once

namespace failback {

// For the whole process, once. SIGPIPE is ignored: a broken connection is reported by the call that meets it.
void install_cancel_handlers();

// Throws Error(cancelled) once a signal has come. Cheap; any thread.
void check_cancelled();

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
