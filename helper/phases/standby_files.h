// -R: the files that make the target follow the source.
#pragma once

#include "helper/phases/context.h"
#include "helper/plan/plan.h"
#include "helper/source/server_source.h"
#include "helper/target/staged_plan.h"

#include <vector>

namespace failback {

// standby.signal and the content of postgresql.auto.conf, which is made from the target's own, or from the source's if
// `take_sources_configuration`.
std::vector<LocalFile> standby_files(const Context &context, ServerSource &source, bool take_sources_configuration);

// Why -R cannot add to the target's own postgresql.auto.conf; empty if it can.
std::string settings_problem(const TargetDirectory &target);

// Whether the target has standby.signal or recovery.signal, once `to_do` is done.
bool has_signal_file(const TargetDirectory &target, const std::vector<FileAction> &to_do);

// Warns if the target, once `to_do` is done, has nothing that keeps a server from coming up on it as a primary: after recovery
// from a backup_label without a signal file it would go on with the source's own timeline.
void warn_if_no_standby(const Context &context, const std::vector<FileAction> &to_do);

// Warns if the connection's role, which primary_conninfo is going to name, could not stream.
void warn_of_role(const Context &context, ServerSource &source);

} // namespace failback
