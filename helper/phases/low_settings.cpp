#include "helper/phases/low_settings.h"

#include "common/path_text.h"
#include "helper/pg_compat.h"

#include <filesystem>

namespace failback {

SettingValues settings_of_target(const Context &context, const ConfigLocation &config)
{
    std::vector<std::string> names(standby_setting_names.begin(), standby_setting_names.end());
    names.emplace_back("log_directory");
    names.emplace_back("ssl_key_file");
    if (hosts_setting != nullptr)
        names.emplace_back(hosts_setting);
    try {
        return read_target_settings(context.postgres_program, config, names);
    } catch (const Error &error) {
        std::string why = std::string(error.what()) + (error.detail().empty() ? "" : " (" + shown_path(error.detail()) + ")");
        context.summary.warnings.push_back("could not read the target's settings: " + why + "; whether they refuse hot standby, and which key"
                                           " files and logs are the target's own, is not known");
        return {{"log_directory", "log"}};
    }
}

std::string missing_config_file(const Context &context)
{
    const std::string &file = context.options.config_file;
    std::error_code ignored;
    if (file.empty() || std::filesystem::exists(file, ignored))
        return "";
    std::string problem = format("configuration file \"%s\", given with --config-file, does not exist", file.c_str());
    if (context.options.program != "pg_rewind")
        return problem;
    context.summary.warnings.push_back(problem);
    return "";
}

void warn_of_low_settings(const Context &context, const SettingValues &target, const SourceState &source)
{
    SettingValues primary = {{"max_connections", std::to_string(source.max_connections)},
                             {"max_worker_processes", std::to_string(source.max_worker_processes)},
                             {"max_wal_senders", std::to_string(source.max_wal_senders)},
                             {"max_prepared_transactions", std::to_string(source.max_prepared_transactions)},
                             {"max_locks_per_transaction", std::to_string(source.max_locks_per_transaction)}};
    for (const SettingWarning &warning : compare_standby_settings(target, primary))
        context.summary.warnings.push_back(warning.message + "; " + warning.hint);
}

void warn_of_low_settings(const Context &context, const Inspection &inspection)
{
    ConfigLocation config = find_target_config(context.target.path(), context.options.config_file);
    warn_of_low_settings(context, settings_of_target(context, config), inspection.source_state);
}

} // namespace failback
