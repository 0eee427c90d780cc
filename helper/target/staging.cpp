#include "helper/target/staging.h"

#include "common/error.h"
#include "common/path_rules.h"
#include "common/path_text.h"
#include "helper/cluster/control_file.h"
#include "helper/target/check.h"

#include <cerrno>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

// With pg_control in place although changes to the target had begun.
StagingState examine_control(const TargetDirectory &target)
{
    auto control = target.read_file(control_file_path, max_control_bytes);
    if (control == target.read_file(applying_path, max_control_bytes))
        return StagingState::committed;
    auto plan = target.read_file(staged_plan_path, max_plan_bytes);
    bool finished = plan && control == decode_staged_plan(*plan, target.absolute(staged_plan_path)).control_file;
    return finished ? StagingState::abandoned : StagingState::unclear;
}

std::string note_text(const std::string &command)
{
    return "If global/pg_control is not there: pg_failback was interrupted while it turned this data directory into a\n"
           "standby, and has moved pg_control aside so that no server starts on half of the work. Nothing is lost: all that\n"
           "is needed to complete it lies in the directory pg_failback.staging beside \"global\". To complete it, as the\n"
           "server's user, run\n\n    " +
           command +
           "\n\nagain. The source is not needed for that. Do not put pg_control back by hand.\n\n"
           "If global/pg_control is there, this file means nothing and can be removed.\n";
}

} // namespace

std::vector<std::string> staging_directories(const TargetDirectory &target)
{
    std::vector<std::string> directories = {staging_name, std::string("pg_wal/") + staging_name};
    for (const std::string &tablespace : target.names_in("pg_tblspc"))
        directories.push_back("pg_tblspc/" + tablespace + "/" + staging_name);
    return directories;
}

StagingState examine_staging(const TargetDirectory &target)
{
    bool control = target.exists(control_file_path);
    bool aside = target.exists(moved_control_path);
    if (!control && !aside)
        throw Error(ErrorCode::data_corrupted, format("\"%s\" does not exist", target.absolute(control_file_path).c_str()),
                    "", "The target must be the data directory of a PostgreSQL server.");
    if (!control)
        return StagingState::committed;
    if (target.exists(applying_path))
        return examine_control(target);
    for (const std::string &directory : staging_directories(target))
        if (target.exists(directory))
            return StagingState::abandoned;
    return target.exists(note_path) ? StagingState::abandoned : StagingState::none;
}

std::string staging_directory(std::string_view path)
{
    constexpr std::string_view tablespaces = "pg_tblspc/";
    if (path.starts_with("pg_wal/"))
        return std::string("pg_wal/") + staging_name;
    size_t slash = path.starts_with(tablespaces) ? path.find('/', tablespaces.size()) : std::string_view::npos;
    if (slash != std::string_view::npos)
        return std::string(path.substr(0, slash + 1)) + staging_name;
    return staging_name;
}

std::string staged_file_path(const FileAction &action, size_t index)
{
    std::string directory = staging_directory(action.path);
    if (action.path.starts_with("pg_wal/"))
        return directory + "/" + std::string(last_part(action.path));
    return directory + format("/f%zu", index);
}

void remove_notes(const TargetDirectory &target)
{
    target.remove_file(applying_path);
    target.remove_file(note_path);
    target.remove_file(temporary_name(note_path));
}

void remove_staging(const TargetDirectory &target)
{
    // First: without them, what is left over has no meaning.
    remove_notes(target);
    target.remove_file(staged_actions_path);
    // Directories too: a restore command may leave some beside what it restores (".wal-g/prefetch").
    for (const std::string &directory : staging_directories(target))
        target.remove_tree(directory);
}

void remove_staging_but_mark(const TargetDirectory &target)
{
    for (const std::string &directory : staging_directories(target))
        for (const std::string &name : target.names_in(directory))
            if (directory + "/" + name != applying_path)
                target.remove_tree(directory + "/" + name);
    target.remove_file(note_path);
    target.remove_file(temporary_name(note_path));
}

void create_staging(const TargetDirectory &target, const std::vector<FileAction> &actions)
{
    std::set<std::string> directories = {staging_name, staging_directory("pg_wal/")};
    for (const FileAction &action : actions)
        if (action.staging == StagingKind::whole_file)
            directories.insert(staging_directory(action.path));
    for (const std::string &directory : directories)
        target.make_directory(directory);
}

void sync_filesystems(const TargetDirectory &target)
{
    std::set<dev_t> flushed;
    auto flush = [&](const std::string &directory, bool if_new) {
        FileDescriptor fd = target.open_directory(directory);
        struct stat status;
        if (fd && ::fstat(fd.get(), &status) != 0)
            throw io_error("examine", target.absolute(directory), errno);
        if (!fd || (!flushed.insert(status.st_dev).second && if_new))
            return;
        if (::syncfs(fd.get()) != 0)
            throw io_error("flush filesystem of", target.absolute(directory), errno);
    };
    for (const std::string &directory : staging_directories(target)) {
        size_t slash = directory.rfind('/');
        flush(slash == std::string::npos ? std::string() : directory.substr(0, slash), false);
    }
    // Others may be mounted inside of the data directory.
    for (const char *directory : {"base", "global", "pg_commit_ts", "pg_logical", "pg_multixact", "pg_twophase", "pg_xact"})
        flush(directory, true);
    for (const std::string &database : target.names_in("base"))
        if (database.find_first_not_of("0123456789") == std::string::npos)
            flush("base/" + database, true);
}

void commit(const TargetDirectory &target, const StagedPlan &plan, const std::string &command, bool sync)
{
    target.write_file(staged_plan_path, encode_staged_plan(plan), sync);
    // What it refuses now the target survives; what it refused after the rename, no later run could complete.
    read_staged_plan(target);
    if (sync) {
        for (const std::string &directory : staging_directories(target)) {
            if (!target.exists(directory))
                continue;
            target.sync(directory);
            target.sync_parent(directory);
        }
    }
    // Last: whoever misses pg_control finds the note, and a run that ends before this leaves none.
    std::string note = note_text(command);
    target.write_file(note_path, {reinterpret_cast<const unsigned char *>(note.data()), note.size()}, sync);
    target.rename(control_file_path, moved_control_path);
    if (sync) {
        target.sync(staging_name);
        target.sync_parent(control_file_path);
    }
}

} // namespace failback
