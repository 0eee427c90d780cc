// What on the target cannot be read or written: looked for when a run ends early, to tell all of it.
#pragma once

#include "common/error.h"
#include "helper/target/target_dir.h"

#include <string>
#include <vector>

namespace failback {

// One message for each directory that cannot be listed or changed, each of PostgreSQL's files that cannot be read, and each
// that a server writes in place and that cannot be written. Other people's files, settings and logs are not looked at.
std::vector<std::string> find_access_problems(const TargetDirectory &target);

// The error that ended a run before its commit, on whichever side, with all these problems on the target; as it was if there
// are none, or if somebody ended the run.
Error with_access_problems(const Error &error, const TargetDirectory &target);

} // namespace failback
