// "pg_failback diff": compares the target with the source and reports. Changes nothing on either side.
#pragma once

#include "helper/options.h"

#include <string>

namespace failback {

// Prints what differs to stdout and writes the report if one is asked for. Returns normally whether or not something
// differs. argv0 is used to find PostgreSQL's programs. Throws Error if the two cannot be compared.
void run_diff(const Options &options, const std::string &argv0);

} // namespace failback
