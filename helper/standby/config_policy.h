// What happens to configuration files. Pure.
//
// Everyone who wrote about failback had to repair port, archive_command and primary_conninfo by hand
// afterwards, because the source's configuration had been copied over: each server keeps its own unless told.
#pragma once

#include <string>
#include <string_view>

namespace failback {

enum class ConfigFiles {
    target, // the target's own stay in force; the source's come beside them as NAME.source
    source, // the source's replace them, as pg_rewind does
};

struct ConfigFileFacts {
    std::string_view path; // relative; PathClass::configuration or a private key
    bool on_target = false;
    bool on_source = false;
    bool identical = false; // both have it with the same content; false if not known
    // The target's server reads its configuration from outside the data directory (Debian), so a
    // postgresql.conf missing there is not missed.
    bool target_configured_elsewhere = false;
};

enum class ConfigFileAction {
    keep,         // the target's file, or its absence, stays
    write_beside, // as keep, and the source's content is written to source_copy_name(path)
    take_source,  // the source's content replaces or creates the file
    remove,       // the target's file goes
};

struct ConfigFileDecision {
    ConfigFileAction action = ConfigFileAction::keep;
    const char *reason = ""; // for -v, complete words: "private keys never leave their server"
};

// An old source copy that is not written anew in this run is removed: it speaks of another source.
// One on the source never comes over.
ConfigFileDecision decide_config_file(ConfigFiles policy, const ConfigFileFacts &facts);

// "postgresql.conf" -> "postgresql.conf.source". is_source_copy() of common/path_rules.h knows the name again.
std::string source_copy_name(std::string_view path);

} // namespace failback
