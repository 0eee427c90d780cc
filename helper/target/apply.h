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

// Carries out all actions and flushes what they touched; pg_control is aside. Idempotent: may be begun anew after any
// interruption.
void apply(const TargetDirectory &target, const StagedPlan &plan, const ApplyOptions &options);

// Writes the local files, calls `before_control`, then puts pg_control in place: from here on the target starts as a
// standby. Removes staging.
void finish(const TargetDirectory &target, const StagedPlan &plan, SyncKind sync,
            const std::function<void()> &before_control = {});

} // namespace failback
