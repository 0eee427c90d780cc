// What is staged, and what was written into place, against the checksums that were taken when it arrived.
#pragma once

#include "helper/target/staged_plan.h"
#include "helper/target/target_dir.h"

#include <functional>

namespace failback {

// Reads the committed plan. Throws Error(data_corrupted).
StagedPlan read_staged_plan(const TargetDirectory &target);

// Reads all that is staged (or, of an apply that was interrupted, renamed into place already), and changes nothing: for
// a run that completes an earlier one, as nobody knows what has happened to the disk since. `progress` is told the bytes
// read; from any thread, and may throw. Throws Error(data_corrupted).
void check_staged(const TargetDirectory &target, const StagedPlan &plan, int threads,
                  const std::function<void(int64_t)> &progress = {});

struct Defect {
    std::string path;    // relative to the data directory
    int64_t offset = 0;  // bytes
    int64_t length = 0;  // 0: the file as a whole
    std::string problem; // "is missing", "differs from what was fetched", ...
};

// Runs `read`; what the disk does not give (the likeliest defect of all) is reported as a defect there, so that all others are
// found too. False then.
bool report_unreadable(Defect &&where, const std::function<void(Defect &&)> &report, const std::function<void()> &read);

// Reads what apply() has written, sizes and fetched content, and reports what is not as it was fetched; from any thread.
// Returns the bytes read. Throws Error(data_corrupted) if the redo files are damaged.
int64_t check_applied(const TargetDirectory &target, const StagedPlan &plan, int threads,
                      const std::function<void(Defect &&)> &report, const std::function<void(int64_t)> &progress = {});

} // namespace failback
