// Settings that a standby must not have below its primary's, or hot standby is refused (or replay pauses). Pure.
#pragma once

#include "helper/cluster/control_file.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace failback {

inline constexpr std::array<const char *, 5> standby_setting_names = {
    "max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction",
};

using SettingValues = std::map<std::string, std::string>; // name -> value as the server shows it

// The primary's values as its pg_control records them: these are what a standby checks against.
SettingValues standby_settings_of(const ControlFile &control);

struct SettingWarning {
    std::string message; // for pg_log_warning
    std::string hint;    // the line to set
};

// One warning for each of the five that is lower on the target. Values missing on either side, or not a
// number, are left out: better no advice than a wrong one.
std::vector<SettingWarning> compare_standby_settings(const SettingValues &target, const SettingValues &primary);

} // namespace failback
