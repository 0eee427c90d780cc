// SIGINT, SIGTERM and SIGHUP ask us to stop; work that can be stopped looks here.
#pragma once

namespace failback {

// For the whole process, once. SIGPIPE is ignored: a broken connection is reported by the call that meets it.
void install_cancel_handlers();

// Throws Error(cancelled) once a signal has come. Cheap; any thread.
void check_cancelled();

} // namespace failback
