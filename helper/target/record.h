// What the last failback fetched, kept in the finished data directory so that it can be verified until the server starts:
// the directory pg_failback.record, with the plan and the checksum of each piece, without the content.
#pragma once

#include "helper/target/staged_plan.h"
#include "helper/target/target_dir.h"

#include <optional>

namespace failback {

inline constexpr const char *record_plan_path = "pg_failback.record/plan";

// From the redo files that are still staged. Replaces an earlier record.
void write_record(const TargetDirectory &target, const StagedPlan &plan, bool sync);

void remove_record(const TargetDirectory &target);

// nullopt if there is none. Throws Error(data_corrupted). Its redo_files are the record's own; of the local files it has
// backup_label only, and of the actions no configuration: the others may be edited before the start.
std::optional<StagedPlan> read_record(const TargetDirectory &target);

} // namespace failback
