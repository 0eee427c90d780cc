// The command "verify".
#pragma once

#include "helper/options.h"

namespace failback {

// Checks a finished target and logs every defect. Throws Error.
void run_verify(const Options &options);

} // namespace failback
