// The target's own settings, as its server would see them: asked from `postgres -C`, which starts no server.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

struct ConfigLocation {
    std::string data_directory;
    std::string config_file;  // empty: postgresql.conf in the data directory
    bool outside() const;     // config_file is set and not below data_directory
};

// The configuration file that the target's last start used: `given` (--config-file) if not empty, else what postmaster.opts
// names (as Debian's start scripts have it) if that is there and not another data directory's, else the data directory's
// postgresql.conf. If none exists, config_file stays empty and read_target_settings will say what is missing.
ConfigLocation find_target_config(const std::string &data_directory, const std::string &given);

// The config file named on a postmaster.opts command line, or the postgresql.conf in the directory of its -D
// when that is not `data_directory`; empty if neither. Pure.
std::string config_file_from_postmaster_opts(std::string_view text, std::string_view data_directory);

// The "postgres" program beside our own (or, failing that, in the bindir this was built for). Throws Error(undefined_file).
std::string find_postgres_program(const char *argv0);

// Values of the named settings, one process each, side by side. Throws Error(wrong_state), with what the program printed
// as detail, if one cannot be answered.
std::map<std::string, std::string> read_target_settings(const std::string &postgres_program, const ConfigLocation &config,
                                                        const std::vector<std::string> &names);

} // namespace failback
