#include "helper/phases/standby_files.h"

#include "helper/standby/recovery_config.h"

namespace failback {

void warn_of_role(const Context &context, ServerSource &source)
{
    if (!source.may_replicate())
        context.summary.warnings.push_back(format("role \"%s\" may not stream WAL, but primary_conninfo will name it;"
                                           " on the source, run ALTER ROLE ... REPLICATION or name another role in primary_conninfo",
                                           source.user().c_str()));
}

std::vector<LocalFile> standby_files(const Context &context, ServerSource &source, bool take_sources_configuration)
{
    RecoverySettings settings;
    settings.connection_lines = connection_lines(source.connection(), context.options.slot, context.options.source_server);
    settings.restore_command = context.options.restore_command;
    std::string current;
    constexpr int64_t limit = 16 * 1024 * 1024;
    std::optional<std::vector<unsigned char>> content;
    if (take_sources_configuration)
        content = read_whole_file(*source.open_reader(), recovery_config_path, limit);
    else
        content = context.target.read_file(recovery_config_path, limit);
    if (content)
        current.assign(content->begin(), content->end());
    return {{recovery_config_path, recovery_config(current, settings)}, {standby_signal_path, ""}};
}

} // namespace failback
