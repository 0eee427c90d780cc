// What on the target cannot be read or written: looked for when a run has come upon the first of it, to tell all of it.
#pragma once

#include "common/error.h"
#include "helper/target/target_dir.h"

#include <string>
#include <vector>

namespace failback {

// One message for each directory that cannot be listed or changed, each of PostgreSQL's files that cannot be read, and each
// that a server writes in place and that cannot be written. Other people's files, settings and logs are not looked at.
std::vector<std::string> find_access_problems(const TargetDirectory &target);

// The problems as lines, from the 51st on only their number.
std::string problem_lines(const std::vector<std::string> &problems);

// The error that ended a run before its commit, with all other problems of this kind on the target; as it was if there
// are none, or if it is an error of another kind.
Error with_access_problems(const Error &error, const TargetDirectory &target);

} // namespace failback
