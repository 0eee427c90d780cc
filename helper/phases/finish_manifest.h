// The backup_manifest of the finished target (--manifest-checksums).
#pragma once

#include "helper/phases/context.h"
#include "helper/target/staged_plan.h"

namespace failback {

// After everything but pg_control is in place.
void write_manifest_of_result(const Context &context, const StagedPlan &plan);

} // namespace failback
