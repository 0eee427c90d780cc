#include "helper/source/server_answers.h"

#include "common/path_rules.h"
#include "common/path_text.h"
#include "helper/cluster/timeline_history.h"
#include "helper/source/wire_format.h"

namespace failback {

namespace {

// Microseconds between 1970-01-01 and 2000-01-01, the epoch of timestamptz.
constexpr int64_t postgres_epoch = 946684800LL * 1000000;

TimelineId timeline_of(const BinaryField &field)
{
    int64_t value = field.int8();
    if (value < 1 || value > UINT32_MAX)
        throw Error(ErrorCode::protocol_violation, "the source sent a timeline number that is out of range");
    return TimelineId{static_cast<uint32_t>(value)};
}

} // namespace

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
    if (!field(4).is_null() && __builtin_add_overflow(field(4).int8(), postgres_epoch, &entry.mtime))
        throw Error(ErrorCode::protocol_violation, format("the source listed \"%s\" with an impossible time", entry.path.c_str()));
    if (!field(6).is_null()) {
        entry.checksum = field(6).checksum();
        entry.has_checksum = true;
    }
    return entry;
}

SourceState read_source_state(Connection &connection, const std::string &schema)
{
    PgResult result = connection.query(
        "SELECT control_file, in_recovery, timeline, current_lsn, history, full_page_writes, wal_level, log_directory,"
        " max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions, max_locks_per_transaction"
        " FROM " + schema + ".pg_failback_source_state()", {}, true);
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

RecoveryEnd read_recovery_end(Connection &connection, const std::string &schema)
{
    PgResult result = connection.query("SELECT lsn, timeline, in_recovery FROM " + schema +
                                        ".pg_failback_recovery_end()", {}, true);
    if (!result)
        throw Error(ErrorCode::protocol_violation, "the source did not report where recovery has to end");
    RecoveryEnd end;
    end.lsn = Lsn{static_cast<uint64_t>(BinaryField(result.get(), 0, 0).int8())};
    end.timeline = timeline_of(BinaryField(result.get(), 0, 1));
    end.in_recovery = BinaryField(result.get(), 0, 2).boolean();
    return end;
}

} // namespace failback
