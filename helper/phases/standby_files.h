// -R: the files that make the target follow the source.
#pragma once

#include "helper/phases/context.h"
#include "helper/source/server_source.h"
#include "helper/target/staged_plan.h"

#include <vector>

namespace failback {

// standby.signal and the content of postgresql.auto.conf, which is made from the target's own, or from the source's if
// `take_sources_configuration`.
std::vector<LocalFile> standby_files(const Context &context, ServerSource &source, bool take_sources_configuration);

// Warns if the connection's role, which primary_conninfo is going to name, could not stream.
void warn_of_role(const Context &context, ServerSource &source);

} // namespace failback
