#include "helper/phases/manifests.h"

#include "common/checksum.h"
#include "common/directory_walk.h"
#include "common/path_rules.h"
#include "common/path_text.h"
#include "helper/pg_compat.h"
#include "helper/phases/low_settings.h"
#include "helper/phases/own_keys.h"
#include "helper/plan/decide.h"
#include "helper/target/parallel.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_set>

namespace failback {

namespace {

constexpr size_t checksum_buffer_bytes = 1024 * 1024;

// For the names of all files, bytes: a quarter of what this process may use.
size_t manifest_memory()
{
    constexpr size_t minimum = size_t{64} * 1024 * 1024;
    size_t available = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    struct rlimit limit;
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        available = std::min<size_t>(available, limit.rlim_cur);
    return std::max(available / 4, minimum);
}

std::vector<FileEntry> list_source(Source &source, const std::vector<std::string> &log_directories)
{
    std::vector<FileEntry> entries;
    // The source decides how many there are, our memory how many can be taken.
    constexpr int64_t max_total_size = int64_t{1} << 60; // bytes; far from where sums overflow
    const size_t max_names = manifest_memory();
    size_t names = 0;
    int64_t total_size = 0;
    auto begin = [&] {
        entries.clear();
        names = 0;
        total_size = 0;
    };
    source.list_files(begin, [&](FileEntry &&entry) {
        names += sizeof entry + entry.path.size() + entry.link_target.size();
        if (names > max_names)
            throw Error(ErrorCode::limit_exceeded, "the source lists too many files for this machine's memory",
                        format("After %zu files the list has more than %s.", entries.size(),
                               size_text(static_cast<int64_t>(max_names)).c_str()));
        total_size += entry.size;
        if (total_size > max_total_size)
            throw Error(ErrorCode::limit_exceeded, "the source lists files of an impossible size");
        // The target's log directory may be an ordinary one on the source.
        for (const std::string &log : log_directories)
            if (!log.empty() && (entry.path == log || entry.path.starts_with(log + "/")))
                return;
        entries.push_back(std::move(entry));
    });
    sort_manifest(entries);
    for (size_t i = 1; i < entries.size(); i++)
        if (entries[i].path == entries[i - 1].path)
            throw Error(ErrorCode::protocol_violation, format("the source listed \"%s\" twice", entries[i].path.c_str()));
    return entries;
}

// Nothing of PostgreSQL's has such a name: it stays, and so does the directory it is in.
void warn_of_refused(const Context &context, const std::vector<std::string> &refused)
{
    constexpr size_t max_named = 5;
    for (size_t i = 0; i < refused.size() && i < max_named; i++)
        context.summary.warnings.push_back(format("\"%s\" is left alone: its name is none that a server gives", shown_path(refused[i]).c_str()));
    if (refused.size() > max_named)
        context.summary.warnings.push_back(format("%zu more files are left alone for their names", refused.size() - max_named));
}

std::vector<FileEntry> list_target(const Context &context, const std::vector<std::string> &log_directories,
                                   const std::string &tablespace_directory)
{
    WalkOptions options;
    for (const std::string &log : log_directories)
        if (!log.empty())
            options.log_directories.push_back(log);
    options.only_copied = false;
    options.tablespace_directory = tablespace_directory;
    std::vector<std::string> refused;
    options.refused = [&](const std::string &path) { refused.push_back(path); };
    DirectoryWalk walk(context.target.path(), options);
    std::vector<FileEntry> entries;
    while (auto entry = walk.next())
        entries.push_back(std::move(*entry));
    sort_manifest(entries);
    warn_of_refused(context, refused);
    return entries;
}

// Only where it can matter: a file of the same size whose checksum the source has sent.
void add_checksums(const Context &context, const std::vector<FileEntry> &source, std::vector<FileEntry> &entries)
{
    std::vector<FileEntry *> candidates;
    int64_t bytes = 0;
    auto other = source.begin();
    for (FileEntry &entry : entries) {
        while (other != source.end() && other->path < entry.path)
            ++other;
        if (other != source.end() && other->path == entry.path && other->kind == FileKind::regular &&
            entry.kind == FileKind::regular && other->size == entry.size && other->has_checksum) {
            candidates.push_back(&entry);
            bytes += entry.size;
        }
    }
    context.progress.set_total(bytes);
    run_parallel(context.options.jobs, candidates.size(), [&](size_t i) {
        FileEntry &entry = *candidates[i];
        thread_local std::vector<unsigned char> buffer(checksum_buffer_bytes);
        FileDescriptor fd = context.target.open_read(entry.path);
        auto checksummer = default_checksum_algorithm().start();
        int64_t position = 0;
        while (size_t got = read_at(fd.get(), buffer, position, entry.path)) {
            checksummer->update(std::span(buffer).first(got));
            position += static_cast<int64_t>(got);
            context.progress.add(static_cast<int64_t>(got));
        }
        entry.checksum = checksummer->finish();
        entry.has_checksum = true;
    });
}

// An absolute path without control characters: what PostgreSQL makes of a tablespace's location.
bool is_link_target(std::string_view target)
{
    return target.starts_with('/') && target.size() <= max_path_length && !has_control_character(target);
}

bool is_server_setting(std::string_view path)
{
    constexpr std::string_view files[] = {"standby.signal", "recovery.signal", "postgresql.auto.conf", "postgresql.conf", "pg_hba.conf",
                                          "pg_ident.conf"};
    return std::find(std::begin(files), std::end(files), path) != std::end(files);
}

// Every name comes from the other side. Links are only where PostgreSQL has its own, what lies in a tablespace is this
// cluster's directory there, and whatever is in a directory comes with that directory.
void check_source_paths(const std::vector<FileEntry> &source, const std::string &tablespace_directory)
{
    constexpr std::string_view tablespaces = "pg_tblspc/";
    auto refuse = [](const FileEntry &entry) {
        throw Error(ErrorCode::protocol_violation, format("the source listed \"%s\", which no server has", entry.path.c_str()), "",
                    "The target is unchanged. Do not trust this source.");
    };
    std::unordered_set<std::string_view> directories;
    for (const FileEntry &entry : source)
        if (entry.kind != FileKind::regular)
            directories.insert(entry.path);
    for (const FileEntry &entry : source) {
        std::string_view path = entry.path;
        bool below = path.starts_with(tablespaces);
        std::string_view rest = below ? path.substr(tablespaces.size()) : std::string_view{};
        std::string_view oid = rest.substr(0, rest.find('/'));
        bool is_tablespace = below && oid == rest && !oid.empty() && oid.find_first_not_of("0123456789") == std::string_view::npos;
        if (size_t slash = path.rfind('/'); slash != std::string_view::npos && !directories.contains(path.substr(0, slash)))
            refuse(entry);
        // Files of ours or of the server's come to lie there.
        if (entry.kind != FileKind::regular && is_server_setting(path))
            refuse(entry);
        if (entry.kind == FileKind::symlink) {
            if (!is_link_target(entry.link_target) || (path != "pg_wal" && !is_tablespace))
                refuse(entry);
        } else if (below && oid != rest) {
            std::string_view inner = rest.substr(oid.size() + 1);
            if (inner.substr(0, inner.find('/')) != tablespace_directory)
                refuse(entry);
        }
    }
}

const FileEntry *find_entry(const std::vector<FileEntry> &sorted, const std::string &path)
{
    auto found = std::lower_bound(sorted.begin(), sorted.end(), path,
                                  [](const FileEntry &entry, const std::string &p) { return entry.path < p; });
    return found != sorted.end() && found->path == path ? &*found : nullptr;
}

// Where tablespaces that only the source has will be. One the target has stays where it is.
void map_tablespaces(const Context &context, Manifests &manifests)
{
    for (const auto &[from, to] : context.options.tablespace_mapping) {
        bool used = false;
        for (FileEntry &entry : manifests.source) {
            if (entry.kind != FileKind::symlink || entry.link_target != from)
                continue;
            used = true;
            if (const FileEntry *own = find_entry(manifests.target, entry.path); own == nullptr)
                entry.link_target = to;
            else if (own->link_target != to)
                context.summary.warnings.push_back(format("tablespace \"%s\" is on the target already: its mapping to \"%s\" is not used",
                                                          entry.path.c_str(), to.c_str()));
        }
        if (!used)
            context.summary.warnings.push_back(format("no tablespace of the source is in \"%s\": its mapping is not used", from.c_str()));
    }
}

} // namespace

std::vector<FileEntry> list_wal(const TargetDirectory &target)
{
    std::vector<FileEntry> entries;
    FileDescriptor fd = target.open_directory("pg_wal");
    for (const std::string &name : target.names_in("pg_wal")) {
        struct stat status;
        if (::fstatat(fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
            continue;
        FileEntry entry;
        entry.path = "pg_wal/" + name;
        entry.size = status.st_size;
        entries.push_back(std::move(entry));
    }
    sort_manifest(entries);
    return entries;
}

Manifests read_manifests(const Context &context, const Inspection &inspection, Source &source)
{
    ConfigLocation config = find_target_config(context.target.path(), context.options.config_file);
    SettingValues settings = settings_of_target(context, config);
    std::vector<std::string> log_directories = {log_directory_inside(settings["log_directory"], context.target.path()).value_or(""),
                                                inspection.source_state.log_directory};
    Manifests manifests;
    manifests.source = list_source(source, log_directories);
    std::string tablespace_directory = format("PG_%s_%u", PG_MAJORVERSION, inspection.target_control.data.catalog_version_no);
    check_source_paths(manifests.source, tablespace_directory);
    manifests.target = list_target(context, log_directories, tablespace_directory);
    manifests.target_keys = own_keys(context.target.path(), settings["ssl_key_file"], hosts_setting != nullptr ? settings[hosts_setting] : std::string());
    manifests.target_configured_elsewhere = config.outside();
    // With the source's configuration come its values, but only where it has one and the target reads it there.
    bool replaced = context.options.config_files == ConfigFiles::source && !config.outside() &&
                    find_entry(manifests.source, "postgresql.conf") != nullptr;
    if (!replaced)
        warn_of_low_settings(context, settings, inspection.source_state);
    map_tablespaces(context, manifests);
    add_checksums(context, manifests.source, manifests.target);
    return manifests;
}

} // namespace failback
