#include "helper/standby/standby_settings.h"

#include <charconv>
#include <optional>

namespace failback {

namespace {

std::optional<long> number_of(const SettingValues &values, const std::string &name)
{
    auto found = values.find(name);
    if (found == values.end())
        return std::nullopt;
    const std::string &text = found->second;
    long number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return number;
}

} // namespace

SettingValues standby_settings_of(const ControlFile &control)
{
    return {
        {"max_connections", std::to_string(control.data.MaxConnections)},
        {"max_worker_processes", std::to_string(control.data.max_worker_processes)},
        {"max_wal_senders", std::to_string(control.data.max_wal_senders)},
        {"max_prepared_transactions", std::to_string(control.data.max_prepared_xacts)},
        {"max_locks_per_transaction", std::to_string(control.data.max_locks_per_xact)},
    };
}

std::vector<SettingWarning> compare_standby_settings(const SettingValues &target, const SettingValues &primary)
{
    std::vector<SettingWarning> warnings;
    for (const char *name : standby_setting_names) {
        std::optional<long> ours = number_of(target, name), theirs = number_of(primary, name);
        if (!ours || !theirs || *ours >= *theirs)
            continue;
        warnings.push_back({format("\"%s\" is %ld on the target, but %ld on its new primary: hot standby would be refused", name,
                                   *ours, *theirs),
                            format("Set \"%s = %ld\" in the target's configuration before starting it.", name, *theirs)});
    }
    return warnings;
}

} // namespace failback
