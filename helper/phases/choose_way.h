// Whether going by WAL, though it could be done, costs more than comparing contents.
#pragma once

#include "helper/phases/make_plan.h"

#include <optional>
#include <string>

namespace failback {

// What speaks for comparing, by cost; nullopt if going by WAL is as good. Looks at a random sample of blocks on both
// sides if much WAL is to be fetched, or if --explain-mode asks for it: then it says what each way would move.
// Only an estimate, and only the cost hangs on it: either way is right.
std::optional<std::string> reason_to_compare(const Context &context, const Inspection &inspection, const Manifests &manifests,
                                             const Plan &plan, const std::vector<FileAction> &wal, Source &source);

// For --explain-mode when contents have been compared: what that has read and moves, exactly.
void explain_comparison(const Context &context, const Plan &plan, const std::vector<FileAction> &wal);

} // namespace failback
