// Phase "fetch": everything the new standby needs arrives in staging. The target stays as it is.
#pragma once

#include "helper/fetch/fetch.h"
#include "helper/phases/make_plan.h"
#include "helper/target/staged_plan.h"

#include <string>

namespace failback {

// Thrown after a scan, before the commit: what was copied cannot be completed by the WAL there is (transfer()), or would
// cost more than a comparison, which starts from a checkpoint of its own.
struct NeedsComparison {
    std::string reason;
};

// Files first, then the source's state at their end, then WAL up to there, proven to be without gap. Returns the plan
// that commit() takes, complete but for -R's settings. Throws Error, NeedsComparison; the target is untouched then.
StagedPlan transfer(const Context &context, const Inspection &inspection, const Difference &difference, Plan plan,
                    const Manifests &manifests, Source &source);

} // namespace failback
