// After the commit: staging -> target, local and repeatable after any crash; then finish.
#pragma once

#include "helper/target/staged_plan.h"
#include "helper/target/target_dir.h"

#include <functional>

namespace failback {

enum class SyncKind { none, fsync, syncfs };

struct ApplyOptions {
    SyncKind sync = SyncKind::fsync;
    int threads = 2;
    std::function<void(int64_t)> progress; // bytes written since the last call; from any thread
};

// Reads the committed plan. Throws Error(data_corrupted).
StagedPlan read_staged_plan(const TargetDirectory &target);

// Reads all that is staged with a checksum of its own, and changes nothing: for a run that completes an earlier one,
// as nobody knows what has happened to the disk since. Throws Error(data_corrupted).
void check_staged(const TargetDirectory &target, const StagedPlan &plan);

// Carries out all actions and flushes what they touched. Idempotent: may be begun anew after any interruption.
void apply(const TargetDirectory &target, const StagedPlan &plan, const ApplyOptions &options);

// Writes the local files, then puts pg_control in place: from here on the target starts as a standby. Removes staging.
void finish(const TargetDirectory &target, const StagedPlan &plan, SyncKind sync);

} // namespace failback
