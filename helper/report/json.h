// The summary as one JSON object, for --report.
#pragma once

#include "helper/report/summary.h"

#include <string>

namespace failback {

// One object, indented, ending with a newline. Keys are stable: see doc/pg_failback.1.
std::string summary_json(const Summary &summary);

} // namespace failback
