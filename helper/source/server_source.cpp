#include "helper/source/server_source.h"

#include "helper/cancel.h"
#include "helper/pg_frontend.h"
#include "helper/source/extension_check.h"
#include "helper/source/server_answers.h"
#include "helper/source/server_reader.h"
#include "helper/source/slot_check.h"
#include "helper/source/wire_format.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace failback {

namespace {

// In every call below each argument is given, in exactly the type declared: in a schema where others may create functions,
// one of the same name that fits better would be called instead, with the rights of our role.

// Seconds; for what the source may be silent about for longer than one is ready to wait otherwise.
constexpr int long_work_patience = 3600;
// Seconds; for what is not to be interrupted, where there is no time limit.
constexpr int short_work_patience = 60;

} // namespace

ServerSource::ServerSource(ServerSourceOptions options)
    : options_(std::move(options)), connection_(std::make_unique<Connection>(options_.connection))
{
    schema_ = find_extension(*connection_);
    check_privileges(*connection_, schema_);
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
    schema_ = find_extension(*connection_);
    // The slot and the backup went with the session.
    if (held_.valid())
        hold(held_);
    // Between its end and now WAL had page images only where the setting gave them. If it was on then and was turned off and on
    // again meanwhile, WAL says so (replay_check); that it was off already, it does not.
    const bool had_backup = std::exchange(backup_, false);
    if (had_backup && !(images_without_backup_ && read_source_state(*connection_, schema_).full_page_writes))
        throw Error(ErrorCode::wrong_state, "the source lost our online backup, and full_page_writes is or was off", "",
                    "The target is unchanged. Run the command again.");
}

SourceState ServerSource::state()
{
    return with_reconnects([&] { return read_source_state(*connection_, schema_); });
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
        SourceState state = read_source_state(*connection_, schema_);
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
        return read_recovery_end(*connection_, schema_);
    });
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

std::string ServerSource::connection_problem(int more)
{
    // A session of ours that has just been closed counts until its process has gone.
    constexpr int attempts = 20;
    constexpr std::chrono::milliseconds pause(100);
    int64_t limit = -1, used = 0;
    for (int attempt = 0; attempt < attempts; attempt++) {
        if (attempt > 0)
            pause_for(pause);
        // What the server itself counts: no background workers, and from 18 on no walsenders.
        PgResult result;
        try {
            result = with_reconnects([&] {
                const char *counted = PQserverVersion(connection_->get()) >= 180000 ? "{client backend}" : "{client backend,walsender}";
                return connection_->query(
                    "SELECT r.rolconnlimit, (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a"
                    "  WHERE a.usesysid OPERATOR(pg_catalog.=) r.oid"
                    "  AND a.backend_type OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[]))"
                    " FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER AND NOT r.rolsuper",
                    {QueryParameter{25, counted, false, false}}, true);
            });
        } catch (const Error &error) {
            // Somebody may have taken these views from the public: then the run itself will show.
            if (error.code() == ErrorCode::connection_failure || error.code() == ErrorCode::timed_out || error.code() == ErrorCode::cancelled)
                throw;
        }
        if (!result)
            return "";
        limit = BinaryField(result.get(), 0, 0).int4();
        used = BinaryField(result.get(), 0, 1).int8();
        if (limit < 0 || used + more <= limit)
            return "";
    }
    return format("role \"%s\" may have no more than %lld connections to the source and has %lld, but this run would take %d more (see --jobs)",
                  user().c_str(), static_cast<long long>(limit), static_cast<long long>(used), more);
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
