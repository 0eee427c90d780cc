// Phase "plan": both manifests and the blocks that differ -> what to do. Changes nothing.
#pragma once

#include "helper/phases/difference.h"
#include "helper/phases/manifests.h"
#include "helper/plan/decide.h"
#include "helper/plan/wal_plan.h"

namespace failback {

Plan make_plan(const Context &context, const Inspection &inspection, const Difference &difference, const Manifests &manifests);

// What wal_plan needs, up to the given end of recovery. The manifests must outlive the result.
WalPlanInput wal_plan_input(const Inspection &inspection, const Difference &difference, const Manifests &manifests, Lsn end);

// Throws Error with everything at once that is known to make the plan fail: space on each filesystem, tablespace
// locations in use, files that cannot be written; and `problems`, found elsewhere.
void preflight(const Context &context, const Plan &plan, const std::vector<FileAction> &wal,
               const std::vector<std::string> &problems);

} // namespace failback
