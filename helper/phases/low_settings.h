// What the target's own configuration says, and settings with which it would refuse to be the source's standby.
#pragma once

#include "helper/cluster/target_settings.h"
#include "helper/phases/inspect.h"
#include "helper/standby/standby_settings.h"

namespace failback {

// The settings that matter here, and log_directory and ssl_key_file. Where the configuration cannot be read (it may be
// broken on a server that was lost) defaults do, with a warning.
SettingValues settings_of_target(const Context &context, const ConfigLocation &config);

// Why the run cannot go on: the file named with --config-file does not exist; empty if it does, or none is named. pg_rewind looks at it
// only where it needs it: called by that name, this warns and says nothing.
std::string missing_config_file(const Context &context);

// Warns of each of the five that is lower than the source's.
void warn_of_low_settings(const Context &context, const SettingValues &target, const SourceState &source);

// The same for a target that keeps its configuration.
void warn_of_low_settings(const Context &context, const Inspection &inspection);

} // namespace failback
