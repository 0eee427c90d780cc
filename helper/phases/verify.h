// Phase "verify": is what was written what was fetched, and do data pages match their checksums?
#pragma once

#include "helper/phases/context.h"
#include "helper/target/staged_plan.h"

namespace failback {

// After apply and before finish, while the work can still be repeated. Every defect is logged.
// Throws Error(data_corrupted) if there is one.
void verify_applied(const Context &context, const StagedPlan &plan);

// The pages of the finished target, as far as it has data checksums. Every defect is logged.
// Throws Error(data_corrupted) if there is one.
void verify_finished_pages(const Context &context, const StagedPlan &plan);

// pg_failback verify: a finished target against the record of its failback, if no server has been started on it since, and
// its data pages. Changes nothing. Throws Error(wrong_state) if there is an interrupted run to complete or a server uses it.
void verify_target(const Context &context);

} // namespace failback
