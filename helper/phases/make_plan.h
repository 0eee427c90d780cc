// Phase "plan": both manifests, compared. Reads both sides, changes nothing.
#pragma once

#include "helper/phases/scan.h"
#include "helper/plan/decide.h"
#include "helper/plan/wal_plan.h"

#include <memory>

namespace failback {

struct PlanOutcome {
    Plan plan;
    std::vector<FileEntry> target_manifest; // for wal_plan
};

PlanOutcome make_plan(const Context &context, const Inspection &inspection, const ScanOutcome &scan, Source &source);

// What wal_plan needs, up to the given end of recovery. The manifest must outlive the result.
WalPlanInput wal_plan_input(const Inspection &inspection, const ScanOutcome &scan,
                            const std::vector<FileEntry> &target_manifest, Lsn end);

// Throws Error with everything at once that is known to make the plan fail: space on each filesystem, tablespace
// locations in use, files that cannot be written.
void preflight(const Context &context, const Plan &plan, const std::vector<FileAction> &wal);

} // namespace failback
