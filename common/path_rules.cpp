#include "common/path_rules.h"

#include "common/error.h"

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

// Splits off and returns the part before the first '/'.
std::string_view take_part(std::string_view &path)
{
    size_t slash = path.find('/');
    std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    return part;
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

// The length of the control character that `text` begins with, bytes; 0 if it begins with none.
size_t control_character(std::string_view text)
{
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x20 || byte(0) == 0x7f)
        return 1;
    return byte(0) == 0xc2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xa0 ? 2 : 0;
}

} // namespace

std::string_view last_part(std::string_view path)
{
    size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string parent_of(const std::string &path)
{
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

bool has_control_character(std::string_view text)
{
    for (; !text.empty(); text.remove_prefix(1))
        if (control_character(text) > 0)
            return true;
    return false;
}

std::string shown_path(std::string_view path)
{
    std::string shown;
    for (path = path.substr(0, max_path_length); !path.empty();) {
        size_t control = control_character(path);
        shown += control > 0 ? '?' : path.front();
        path.remove_prefix(std::max<size_t>(control, 1));
    }
    return shown;
}

void check_relative_path(std::string_view path)
{
    auto refuse = [&](const char *problem) {
        throw Error(ErrorCode::invalid_parameter, format("path \"%s\" is not acceptable", shown_path(path).c_str()), problem,
                    "Paths are relative to the data directory, with single slashes between their parts.");
    };
    if (path.empty())
        refuse("The path is empty.");
    if (path.size() > max_path_length)
        refuse("The path is too long.");
    if (path.front() == '/')
        refuse("The path is absolute.");
    if (has_control_character(path))
        refuse("The path contains a control character.");
    if (path.back() == '/')
        refuse("The path ends with a slash.");
    for (std::string_view rest = path; !rest.empty();) {
        std::string_view part = take_part(rest);
        if (part.empty())
            refuse("The path contains an empty part.");
        if (part.size() > max_part_length)
            refuse("A part of the path is too long.");
        if (part == "." || part == "..")
            refuse("The path contains \".\" or \"..\".");
    }
}

bool is_acceptable_path(std::string_view path)
{
    try {
        check_relative_path(path);
        return true;
    } catch (const Error &) {
        return false;
    }
}

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
