// What every phase needs beside the results of the ones before it.
#pragma once

#include "helper/options.h"
#include "helper/report/progress.h"
#include "helper/report/summary.h"
#include "helper/target/target_dir.h"

#include <string>

namespace failback {

struct Context {
    const Options &options;
    std::string postgres_program; // of the target's own installation
    std::string command_line;     // for any shell, for the note that explains an interrupted run
    TargetDirectory &target;
    Progress &progress;
    Summary &summary;
};

} // namespace failback
