#include "helper/phases/standby_files.h"

#include "helper/standby/recovery_config.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace failback {

namespace {

constexpr int64_t max_settings_bytes = 16 * 1024 * 1024;

bool is_link(const TargetDirectory &target, const char *name)
{
    struct stat status;
    FileDescriptor directory = target.open_directory("");
    return ::fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

} // namespace

std::string settings_problem(const TargetDirectory &target)
{
    // Through the link somebody else's file would be written; in its place a file would be what nobody expects there.
    if (is_link(target, recovery_config_path))
        return format("\"%s\" is a symbolic link, and -R does not write through it: put a file in its place, or leave out -R and"
                      " set primary_conninfo where it leads", target.absolute(recovery_config_path).c_str());
    try {
        target.read_file(recovery_config_path, max_settings_bytes);
        return "";
    } catch (const Error &error) {
        return error.what();
    }
}

void warn_of_role(const Context &context, ServerSource &source)
{
    if (!source.may_replicate())
        context.summary.warnings.push_back(format("role \"%s\" may not stream WAL, but primary_conninfo will name it;"
                                           " on the source, run ALTER ROLE ... REPLICATION or name another role in primary_conninfo",
                                           source.user().c_str()));
}

bool has_signal_file(const TargetDirectory &target, const std::vector<FileAction> &to_do)
{
    for (const char *path : {standby_signal_path, "recovery.signal"}) {
        bool there = target.exists(path);
        for (const FileAction &action : to_do)
            if (action.path == path)
                there = action.kind != FileActionKind::remove;
        if (there)
            return true;
    }
    return false;
}

void warn_if_no_standby(const Context &context, const std::vector<FileAction> &to_do)
{
    if (context.options.write_recovery_conf || has_signal_file(context.target, to_do))
        return;
    context.summary.warnings.push_back("the target has no standby.signal: a server started on it becomes a second primary beside the"
                                       " source; create that file and set primary_conninfo before it is started, or have both"
                                       " written with -R");
}

std::vector<LocalFile> standby_files(const Context &context, ServerSource &source, bool take_sources_configuration)
{
    RecoverySettings settings;
    settings.connection_lines = connection_lines(source.connection(), context.options.slot, context.options.source_server);
    settings.restore_command = context.options.restore_command;
    std::string current;
    std::optional<std::vector<unsigned char>> content;
    if (take_sources_configuration)
        content = read_whole_file(*source.open_reader(), recovery_config_path, max_settings_bytes);
    else
        content = context.target.read_file(recovery_config_path, max_settings_bytes);
    if (content)
        current.assign(content->begin(), content->end());
    if (names_slot(current) && context.options.slot.empty())
        context.summary.warnings.push_back("primary_slot_name is no longer set in postgresql.auto.conf: a slot is of one server, and the new primary"
                                           " may not have one of that name; --slot names one, and --create-slot makes it");
    return {{recovery_config_path, recovery_config(current, settings)}, {standby_signal_path, ""}};
}

} // namespace failback
