#include "common/path_rules.h"

#include "common/path_text.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace failback {

namespace {

constexpr uint32_t default_tablespace = 1663; // pg_default, catalog/pg_tablespace.dat
constexpr uint32_t global_tablespace = 1664;  // pg_global

constexpr std::string_view cluster_directories[] = {
    "base",    "global",    "pg_commit_ts", "pg_dynshmem", "pg_logical",  "pg_multixact",
    "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat",   "pg_stat_tmp",
    "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal",    "pg_xact",
};

constexpr std::string_view emptied_directories[] = {
    "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans",
};

// Names at the top of a data directory that describe one running server or one backup.
constexpr std::string_view excluded_at_top[] = {
    "postmaster.pid",  "postmaster.opts",    "backup_label",     "backup_label.old",
    "tablespace_map",  "tablespace_map.old", "backup_manifest",  "postgresql.auto.conf.tmp",
    "current_logfiles", "current_logfiles.tmp",
};

constexpr std::string_view configuration_suffixes[] = {
    ".conf", ".signal", ".crt", ".pem", ".crl", ".cer", ".der", ".csr", ".srl",
};

constexpr std::string_view private_key_suffixes[] = {".key", ".p12", ".pfx", ".jks", ".keytab"};

template <size_t n>
bool is_one_of(std::string_view name, const std::string_view (&list)[n])
{
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

template <size_t n>
bool ends_with_one_of(std::string_view name, const std::string_view (&list)[n])
{
    // A name that is nothing but the suffix (".key") counts too: better one too many than one too few.
    return std::any_of(std::begin(list), std::end(list), [&](std::string_view end) { return name.ends_with(end); });
}

// A decimal number from 1 to 2^32 - 1, written as PostgreSQL writes OIDs: no sign, no leading zero.
std::optional<uint32_t> parse_number(std::string_view text)
{
    uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty() || text[0] == '0')
        return std::nullopt;
    return value;
}

bool is_upper_hex(std::string_view text)
{
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

// <number>[_fork][.segment]
bool parse_relation_name(std::string_view name, RelationPath &out)
{
    size_t dot = name.find('.');
    if (dot != std::string_view::npos) {
        auto segment = parse_number(name.substr(dot + 1));
        if (!segment)
            return false;
        out.segment = *segment;
        name = name.substr(0, dot);
    }
    size_t underscore = name.find('_');
    if (underscore != std::string_view::npos) {
        std::string_view fork = name.substr(underscore + 1);
        if (fork == "fsm")
            out.fork = ForkKind::fsm;
        else if (fork == "vm")
            out.fork = ForkKind::vm;
        else if (fork == "init")
            out.fork = ForkKind::init;
        else
            return false;
        name = name.substr(0, underscore);
    }
    auto number = parse_number(name);
    if (!number)
        return false;
    out.relation.number = *number;
    return true;
}

// The tablespace, database and file name of a path where relations live; false if it is no such place.
bool split_relation_path(std::string_view path, RelationId &where, std::string_view &name)
{
    std::string_view first = take_part(path);
    if (first == "global") {
        where.tablespace = global_tablespace;
    } else if (first == "base") {
        where.tablespace = default_tablespace;
    } else if (first == "pg_tblspc") {
        auto tablespace = parse_number(take_part(path));
        if (!tablespace || !take_part(path).starts_with("PG_"))
            return false;
        where.tablespace = *tablespace;
    } else {
        return false;
    }
    if (first != "global") {
        auto database = parse_number(take_part(path));
        if (!database)
            return false;
        where.database = *database;
    }
    name = path;
    return !name.empty() && name.find('/') == std::string_view::npos;
}

// t<backend>_<number>[_fork][.segment], where a relation can be
bool is_temporary_relation(std::string_view path)
{
    RelationPath parsed;
    std::string_view name;
    if (!split_relation_path(path, parsed.relation, name) || !name.starts_with('t'))
        return false;
    size_t underscore = name.find('_');
    if (underscore == std::string_view::npos)
        return false;
    std::string_view backend = name.substr(1, underscore - 1);
    bool digits = !backend.empty() &&
                  std::all_of(backend.begin(), backend.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits && parse_relation_name(name.substr(underscore + 1), parsed);
}

bool is_excluded(std::string_view path)
{
    std::string_view rest = path;
    std::string_view first = take_part(rest);
    if (rest.empty()) {
        // A socket's lock file is a regular file beside it when the data directory holds the sockets.
        if (is_one_of(first, excluded_at_top) || first.starts_with(".s.PGSQL."))
            return true;
    } else if (is_one_of(first, emptied_directories)) {
        return true;
    }
    for (std::string_view parts = path; !parts.empty();) {
        if (take_part(parts).starts_with("pgsql_tmp"))
            return true;
    }
    return last_part(path).starts_with("pg_internal.init");
}

bool is_staging(std::string_view path)
{
    // Beside the files that we write: the note in pg_control's place, and what is not complete yet.
    if (path.starts_with(note_path) || path.ends_with(".pg_failback_tmp"))
        return true;
    std::string_view part = take_part(path);
    if (part == "pg_tblspc") {
        take_part(path);
        part = take_part(path);
    } else if (part == "pg_wal") {
        part = take_part(path);
    }
    return part.starts_with("pg_failback.");
}

} // namespace

PathClass classify_path(std::string_view path)
{
    if (is_staging(path))
        return PathClass::staging;
    // With .old: the copy that CloudNativePG puts back before it repeats a run that was interrupted.
    if (path == "global/pg_control" || path == "global/pg_control.old")
        return PathClass::control_file;
    if (is_excluded(path))
        return PathClass::excluded;
    if (auto relation = parse_relation_path(path))
        return relation->fork == ForkKind::main ? PathClass::relation_main : PathClass::relation_fork;
    if (is_temporary_relation(path))
        return PathClass::relation_temporary;
    if (path.starts_with("pg_wal/")) {
        std::string_view name = path.substr(7);
        if (name.size() == 24 && is_upper_hex(name))
            return PathClass::wal_segment;
        if (name.size() == 16 && name.ends_with(".history") && is_upper_hex(name.substr(0, 8)))
            return PathClass::wal_history;
        return PathClass::wal_other;
    }
    return is_configuration(path) ? PathClass::configuration : PathClass::other;
}

std::optional<RelationPath> parse_relation_path(std::string_view path)
{
    RelationPath parsed;
    std::string_view name;
    if (!split_relation_path(path, parsed.relation, name) || !parse_relation_name(name, parsed))
        return std::nullopt;
    return parsed;
}

bool is_configuration(std::string_view path)
{
    std::string_view rest = path;
    std::string_view first = take_part(rest);
    if (!rest.empty() && is_cluster_directory(first))
        return false;
    if (is_private_key(path))
        return true;
    return ends_with_one_of(path, configuration_suffixes) || is_source_copy(path);
}

bool is_source_copy(std::string_view path)
{
    constexpr std::string_view suffix = ".source";
    return path.ends_with(suffix) && is_configuration(path.substr(0, path.size() - suffix.size()));
}

bool is_private_key(std::string_view path)
{
    std::string_view name = last_part(path);
    // "server.key.old" is a key as well.
    return ends_with_one_of(name, private_key_suffixes) || name.find(".key.") != std::string_view::npos;
}

bool is_cluster_directory(std::string_view first_part)
{
    return is_one_of(first_part, cluster_directories);
}

bool is_emptied_directory(std::string_view path)
{
    return is_one_of(path, emptied_directories);
}

std::optional<std::string> log_directory_inside(std::string_view setting, std::string_view data_directory)
{
    if (setting.starts_with('/')) {
        while (data_directory.ends_with('/'))
            data_directory.remove_suffix(1);
        if (!setting.starts_with(data_directory) || !setting.substr(data_directory.size()).starts_with('/'))
            return std::nullopt;
        setting.remove_prefix(data_directory.size());
    }
    std::string normal;
    while (!setting.empty()) {
        std::string_view part = take_part(setting);
        if (part == "..")
            return std::nullopt;
        if (part.empty() || part == ".")
            continue;
        if (normal.empty() && is_cluster_directory(part))
            return std::nullopt;
        if (!normal.empty())
            normal += '/';
        normal += part;
    }
    if (normal.empty())
        return std::nullopt;
    return normal;
}

} // namespace failback
