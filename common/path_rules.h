// What a path in a data directory is, and what a failback never copies. Pure: no file is touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace failback {

// The note that lies where PostgreSQL misses pg_control, and says why. With this prefix neither pg_basebackup nor
// pg_checksums takes it for a relation (one named pg_control.NOTE has a bad segment number), should it be left over.
inline constexpr const char *note_path = "global/pgsql_tmp.pg_failback_moved_pg_control";

// What a path in a data directory is, by its name alone.
enum class PathClass {
    relation_main,     // base/, global/, pg_tblspc/: <number>[.<segment>]
    relation_fork,     // ..._fsm, ..._vm, ..._init
    relation_temporary,// t<backend>_<number>..: never copied, removed from the target
    wal_segment,       // pg_wal/<24 hex digits>
    wal_history,       // pg_wal/<8 hex digits>.history
    wal_other,         // anything else below pg_wal (archive_status, .partial, summaries, ...): never copied
    control_file,      // global/pg_control, and a wrapper's copy of it (.old): each server's own
    excluded,          // named in REWIND_FACTS "never copied": contents of pg_dynshmem, pg_notify, ...
    staging,           // our own: pg_failback.* at the top, in pg_wal or in a tablespace's root, and what lies beside files
                       // that we write (the note, *.pg_failback_tmp)
    configuration,     // settings that belong to each server: see is_configuration()
    other,             // anything else: SLRUs, maps, PG_VERSION, two-phase files, ...
};

enum class ForkKind : uint8_t { main = 0, fsm = 1, vm = 2, init = 3 };

// Tablespace, database and number of a relation, as in a RelFileNode / RelFileLocator.
struct RelationId {
    uint32_t tablespace = 0; // 1663 pg_default, 1664 pg_global, or the pg_tblspc OID
    uint32_t database = 0;   // 0 for global
    uint32_t number = 0;
    auto operator<=>(const RelationId &) const = default;
};

struct RelationPath {
    RelationId relation;
    ForkKind fork = ForkKind::main;
    uint32_t segment = 0; // 0 for the first file
};

PathClass classify_path(std::string_view path);

// Takes apart base/D/N, global/N and pg_tblspc/T/PG_*/D/N, with _fork and .segment; nullopt if it is none.
std::optional<RelationPath> parse_relation_path(std::string_view path);

// Settings and credentials that each server keeps for itself by default: *.conf at the top or in any
// directory that is not PostgreSQL's own, *.signal, certificates (*.crt *.pem *.crl) and the like,
// private keys, and is_source_copy() names.
bool is_configuration(std::string_view path);

// NAME.source where NAME is configuration: another server's settings, laid beside ours by an earlier
// failback. Not served by a source, so that they do not pile up.
bool is_source_copy(std::string_view path);

// Private keys ("*.key", "*.key.*", *.p12 and the like): not served by the source unless a superuser
// asks, never overwritten.
bool is_private_key(std::string_view path);

// The directories PostgreSQL itself keeps in a data directory ("base", "global", "pg_wal", ...).
bool is_cluster_directory(std::string_view first_part);

// Directories whose contents are never copied and are removed from the target (pg_dynshmem, pg_notify,
// pg_replslot, pg_serial, pg_snapshots, pg_stat_tmp, pg_subtrans); the directory itself must exist.
bool is_emptied_directory(std::string_view path);

// The setting log_directory as a path relative to `data_directory` (absolute), written as the walk reports
// it ("./log//" is "log"); nullopt when it lies elsewhere, is the data directory itself, or lies in one
// of PostgreSQL's own directories, whose contents are not logs alone.
std::optional<std::string> log_directory_inside(std::string_view setting, std::string_view data_directory);

} // namespace failback
