// The sequence of phases: inspect, scan, plan, fetch, commit, apply, finish, report. Nothing else.
#pragma once

#include "helper/options.h"

#include <string>

namespace failback {

// Brings the target back as a standby of the source, or completes what an earlier run has committed. Logs what it
// does. argv0 is used to find PostgreSQL's programs; command_line is for the note that explains an interrupted run.
// Throws Error; what state the target is in then has been logged already.
void run_failback(const Options &options, const std::string &argv0, const std::string &command_line);

} // namespace failback
