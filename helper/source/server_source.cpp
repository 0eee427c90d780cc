#include "helper/source/server_source.h"

#include "common/path_rules.h"
#include "helper/cancel.h"
#include "helper/pg_frontend.h"
#include "helper/source/server_reader.h"
#include "helper/source/slot_check.h"
#include "helper/source/wire_format.h"

#include <utility>

#include <algorithm>

namespace failback {

namespace {

// In every call below each argument is given, in exactly the type declared: in a schema where others may create functions,
// one of the same name that fits better would be called instead, with the rights of our role.

// Seconds; for what the source may be silent about for longer than one is ready to wait otherwise.
constexpr int long_work_patience = 3600;
// Seconds; for what is not to be interrupted, where there is no time limit.
constexpr int short_work_patience = 60;

// Microseconds between 1970-01-01 and 2000-01-01, the epoch of timestamptz.
constexpr int64_t postgres_epoch = 946684800LL * 1000000;

FileEntry decode_entry(const PGresult *result)
{
    auto field = [result](int column) { return BinaryField(result, 0, column); };
    FileEntry entry;
    entry.path = field(0).text();
    check_relative_path(entry.path);
    switch (field(1).single_char()) {
    case 'f':
        entry.kind = FileKind::regular;
        break;
    case 'd':
        entry.kind = FileKind::directory;
        break;
    case 'l':
        entry.kind = FileKind::symlink;
        entry.link_target = field(5).text();
        break;
    default:
        throw Error(ErrorCode::protocol_violation,
                    format("the source listed \"%s\" as something unknown", entry.path.c_str()));
    }
    if (!field(2).is_null())
        entry.size = field(2).int8();
    constexpr int64_t max_size = int64_t{1} << 53;
    if (entry.size < 0 || entry.size > max_size)
        throw Error(ErrorCode::protocol_violation, format("the source listed \"%s\" with an impossible size", entry.path.c_str()));
    entry.mode = static_cast<uint32_t>(field(3).int4()) & 07777;
    if (!field(4).is_null())
        entry.mtime = field(4).int8() + postgres_epoch;
    if (!field(6).is_null()) {
        entry.checksum = field(6).checksum();
        entry.has_checksum = true;
    }
    return entry;
}

TimelineId timeline_of(const BinaryField &field)
{
    int64_t value = field.int8();
    if (value < 1 || value > UINT32_MAX)
        throw Error(ErrorCode::protocol_violation, "the source sent a timeline number that is out of range");
    return TimelineId{static_cast<uint32_t>(value)};
}

} // namespace

ServerSource::ServerSource(ServerSourceOptions options)
    : options_(std::move(options)), connection_(std::make_unique<Connection>(options_.connection))
{
    find_extension();
    check_privileges();
    // Every further connection has to reach this very server, also if the connection string names several, or a name that
    // stands for several.
    options_.connection.required_host = PQhost(connection_->get());
    options_.connection.required_port = PQport(connection_->get());
    options_.connection.identity_sql = "SELECT " + schema_ + ".pg_failback_server_id()";
    options_.connection.required_identity = connection_->identity(options_.connection.identity_sql);
}

template <typename Work> auto ServerSource::with_reconnects(Work work) -> decltype(work())
{
    for (int attempt = 1;; attempt++) {
        try {
            if (!connection_)
                reconnect();
            return work();
        } catch (const Error &error) {
            if (error.code() != ErrorCode::connection_failure)
                throw;
            connection_.reset();
            if (!pause_before_reconnect(attempt, options_.connection.timeout_seconds))
                throw;
        }
    }
}

void ServerSource::reconnect()
{
    connection_ = std::make_unique<Connection>(options_.connection);
    find_extension();
    // The slot and the backup went with the session.
    if (held_.valid())
        hold(held_);
    // Between its end and now WAL had page images only where the setting gave them. If it was on then and was turned off and on
    // again meanwhile, WAL says so (replay_check); that it was off already, it does not.
    if (backup_ && !(images_without_backup_ && read_state().full_page_writes))
        throw Error(ErrorCode::wrong_state, "the source lost our online backup, and full_page_writes is or was off", "",
                    "The target is unchanged. Run the command again.");
    backup_ = false;
}

SourceState ServerSource::state()
{
    return with_reconnects([&] { return read_state(); });
}

void ServerSource::find_extension()
{
    PgResult result = connection_->query(
        "SELECT e.extversion, n.nspname FROM pg_catalog.pg_extension e"
        " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
        " WHERE e.extname OPERATOR(pg_catalog.=) 'pg_failback'");
    std::string database = PQdb(connection_->get());
    if (!result)
        throw Error(ErrorCode::wrong_state,
                    format("extension \"pg_failback\" is not installed in database \"%s\" of the source", database.c_str()),
                    "", format("Run CREATE EXTENSION pg_failback in database \"%s\" on the source.", database.c_str()));
    if (PQnfields(result.get()) != 2)
        throw Error(ErrorCode::protocol_violation, "the source did not tell the version of the extension");
    std::string version = printable(PQgetvalue(result.get(), 0, 0));
    if (version != required_extension_version)
        throw Error(ErrorCode::wrong_state,
                    format("extension \"pg_failback\" in database \"%s\" of the source has version %s, but this program"
                           " needs version %s",
                           database.c_str(), version.c_str(), required_extension_version),
                    "", "Run ALTER EXTENSION pg_failback UPDATE on the source, or use the program of the same version.");
    schema_ = quote_identifier(*connection_, PQgetvalue(result.get(), 0, 1));
}

void ServerSource::check_privileges()
{
    PgResult result = connection_->query(
        "SELECT pg_catalog.string_agg(pg_catalog.concat(p.proname, '()'), ', ' ORDER BY p.proname) FROM pg_catalog.pg_proc p"
        " JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
        "  AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'"
        " JOIN pg_catalog.pg_extension e ON d.refclassid OPERATOR(pg_catalog.=)"
        "  'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) e.oid"
        " WHERE e.extname OPERATOR(pg_catalog.=) 'pg_failback'"
        " AND p.proname OPERATOR(pg_catalog.<>) ALL ('{pg_failback_grant,pg_failback_revoke}'::pg_catalog.name[])"
        " AND NOT (pg_catalog.has_function_privilege(p.oid, 'EXECUTE')"
        "          AND pg_catalog.has_schema_privilege(p.pronamespace, 'USAGE'))");
    if (!result || PQgetisnull(result.get(), 0, 0) != 0)
        return;
    std::string names = printable(PQgetvalue(result.get(), 0, 0));
    std::string user = PQuser(connection_->get());
    throw Error(ErrorCode::access_denied,
                format("role \"%s\" may not execute functions of the extension pg_failback on the source", user.c_str()),
                "Missing: " + names + ".",
                format("As a superuser on the source, run SELECT %s.pg_failback_grant('%s').", schema_.c_str(), user.c_str()));
}

SourceState ServerSource::read_state()
{
    PgResult result = connection_->query(
        "SELECT control_file, in_recovery, timeline, current_lsn, history, full_page_writes, wal_level, log_directory,"
        " max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions, max_locks_per_transaction"
        " FROM " + schema_ + ".pg_failback_source_state()", {}, true);
    if (!result)
        throw Error(ErrorCode::protocol_violation, "the source did not report its state");
    auto field = [&result](int column) { return BinaryField(result.get(), 0, column); };
    SourceState state;
    auto image = field(0).bytes();
    state.control_file.assign(image.begin(), image.end());
    state.in_recovery = field(1).boolean();
    state.timeline = timeline_of(field(2));
    state.current = Lsn{static_cast<uint64_t>(field(3).int8())};
    if (!field(4).is_null())
        state.history = field(4).text();
    if (state.history.size() > max_history_bytes)
        throw Error(ErrorCode::limit_exceeded, "the source sent a timeline history that is too long");
    state.full_page_writes = field(5).boolean();
    state.wal_level = field(6).text();
    if (!field(7).is_null())
        state.log_directory = field(7).text();
    // What lies there is left alone on both sides: it must not be anything of a server but its logs.
    if (!state.log_directory.empty() && log_directory_inside(state.log_directory, "/") != state.log_directory)
        throw Error(ErrorCode::protocol_violation, "the source names a log directory that it cannot have");
    state.max_connections = field(8).int4();
    state.max_worker_processes = field(9).int4();
    state.max_wal_senders = field(10).int4();
    state.max_prepared_transactions = field(11).int4();
    state.max_locks_per_transaction = field(12).int4();
    return state;
}

void ServerSource::list_files(const std::function<void()> &begin, const std::function<void(FileEntry &&)> &report)
{
    int64_t rate = read_limiter() != nullptr ? read_limiter()->rate() : 0;
    with_reconnects([&] {
        begin();
        // The next row comes when the whole of a file has been read, at the pace we ask for. Until then the source gives signs of
        // life: not so often that we could be less patient than this.
        if (options_.connection.timeout_seconds > 0)
            connection_->set_patience(std::max(options_.connection.timeout_seconds, 4 * sign_of_life_seconds));
        connection_->start_rows("SELECT (m).* FROM (SELECT " + schema_ + ".pg_failback_manifest('xxh128'::pg_catalog.text,"
                                " 'untracked'::pg_catalog.text, NULL::pg_catalog.pg_lsn, false, $1::pg_catalog.int8)"
                                " AS m OFFSET 0) AS s", {QueryParameter{25, std::to_string(rate), false, false}});
        while (PgResult result = connection_->next_row()) {
            if (PQnfields(result.get()) != 7)
                throw Error(ErrorCode::protocol_violation, "the source sent a manifest of another shape than agreed");
            report(decode_entry(result.get()));
        }
        connection_->set_patience(options_.connection.timeout_seconds);
    });
}

void ServerSource::hold_wal(Lsn from)
{
    // A connection that is made anew meanwhile is to hold what is wanted now: more may be gone by then, and not needed.
    Lsn before = std::exchange(held_, from);
    try {
        with_reconnects([&] { hold(from); });
    } catch (...) {
        held_ = before;
        throw;
    }
}

void ServerSource::hold(Lsn from)
{
    connection_->query("SELECT " + schema_ + ".pg_failback_hold_wal($1::pg_catalog.pg_lsn)",
                      {QueryParameter{25, from.text(), false, false}});
}

SourceState ServerSource::begin_backup()
{
    return with_reconnects([&] {
        // The checkpoint that comes with it may take longer than we are ready to wait for a silent source otherwise.
        connection_->set_patience(options_.connection.timeout_seconds > 0 ? long_work_patience : 0);
        connection_->query("SELECT " + schema_ + ".pg_failback_backup_start(true)");
        connection_->set_patience(options_.connection.timeout_seconds);
        SourceState state = read_state();
        images_without_backup_ = state.full_page_writes;
        backup_ = true; // it goes with the session before it was of use
        return state;
    });
}

RecoveryEnd ServerSource::recovery_end()
{
    return with_reconnects([&] {
        if (backup_) {
            connection_->query("SELECT " + schema_ + ".pg_failback_backup_stop()");
            backup_ = false;
        }
        return read_recovery_end();
    });
}

RecoveryEnd ServerSource::read_recovery_end()
{
    PgResult result = connection_->query("SELECT lsn, timeline, in_recovery FROM " + schema_ +
                                        ".pg_failback_recovery_end()", {}, true);
    if (!result)
        throw Error(ErrorCode::protocol_violation, "the source did not report where recovery has to end");
    RecoveryEnd end;
    end.lsn = Lsn{static_cast<uint64_t>(BinaryField(result.get(), 0, 0).int8())};
    end.timeline = timeline_of(BinaryField(result.get(), 0, 1));
    end.in_recovery = BinaryField(result.get(), 0, 2).boolean();
    return end;
}

void ServerSource::reserve_slot(const std::string &name, bool create)
{
    bool in_doubt = false; // an answer was lost
    auto is_lost = [](const Error &error) { return error.code() == ErrorCode::connection_failure || error.code() == ErrorCode::timed_out; };
    try {
        with_reconnects([&] {
            QueryParameter slot{25, name, false, false};
            // Its answer may be what is lost, and what we made is found existing by the next attempt.
            if (created_slot_.empty() && create &&
                !connection_->query("SELECT 1 FROM pg_catalog.pg_replication_slots"
                                    " WHERE slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name", {slot}))
                created_slot_ = name;
            // A signal that came in between would leave in doubt whether it was made.
            Uncancellable asking;
            if (options_.connection.timeout_seconds == 0)
                connection_->set_patience(short_work_patience);
            try {
                connection_->query("SELECT " + schema_ + ".pg_failback_reserve_slot($1::pg_catalog.text::pg_catalog.name, $2::pg_catalog.bool)",
                                   {slot, QueryParameter{25, create ? "true" : "false", false, false}});
            } catch (const Error &error) {
                in_doubt = in_doubt || is_lost(error);
                throw;
            }
        });
    } catch (const Error &error) {
        if (!in_doubt && !is_lost(error))
            created_slot_.clear();
        throw;
    }
}

void ServerSource::release_slot() noexcept
{
    if (created_slot_.empty())
        return;
    // A signal may be what ended the run; whoever sent it is not to wait for a silent source.
    Uncancellable cleaning_up;
    constexpr int patience_seconds = 5;
    try {
        // Only the session that made it may drop it.
        if (!connection_)
            throw Error(ErrorCode::connection_failure, "the connection over which it was created is lost");
        connection_->set_patience(patience_seconds);
        connection_->query("SELECT " + schema_ + ".pg_failback_drop_slot($1::pg_catalog.text::pg_catalog.name)",
                           {QueryParameter{25, created_slot_, false, false}});
    } catch (const std::exception &error) {
        pg_log_warning("replication slot \"%s\" may have stayed on the source: %s", created_slot_.c_str(), error.what());
        pg_log_warning_hint("Drop it there with pg_drop_replication_slot(), or it will keep WAL.");
    }
    created_slot_.clear();
}

std::string ServerSource::slot_problem(const std::string &name, bool create)
{
    return with_reconnects([&] { return find_slot_problem(*connection_, name, create); });
}

RelationNames ServerSource::relation_names(const std::set<RelationId> &wanted, std::vector<std::string> &notes)
{
    return read_relation_names(*connection_, options_.connection, wanted, notes);
}

bool ServerSource::may_replicate()
{
    return with_reconnects([&] {
        PgResult result = connection_->query("SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles"
                                            " WHERE rolname OPERATOR(pg_catalog.=) SESSION_USER", {}, true);
        return result && BinaryField(result.get(), 0, 0).boolean();
    });
}

std::unique_ptr<ChunkReader> ServerSource::make_reader()
{
    return make_server_reader(options_, schema_);
}

std::string ServerSource::describe() const
{
    const char *host = PQhost(connection_->get());
    const char *port = PQport(connection_->get());
    return format("server at \"%s\" port %s", host != nullptr ? host : "", port != nullptr ? port : "");
}

} // namespace failback
