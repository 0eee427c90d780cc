// pg_failback_source_state(): one row with everything the helper must know of the source.

#include "common/version.h"
#include "extension/pg_compat.h"
#include "extension/row_stream.h"
#include "extension/running_wal.h"
#include "extension/source_files.h"

namespace failback {

namespace {

const char *wal_level_name(int level)
{
    switch (level) {
    case WAL_LEVEL_MINIMAL:
        return "minimal";
    case WAL_LEVEL_REPLICA:
        return "replica";
    default:
        return "logical";
    }
}

Datum source_state(FunctionCallInfo fcinfo)
{
    const ControlImage control = ControlImage::read();
    const ControlFileData &data = control.data();
    const RunningWal wal = RunningWal::look(control);
    const std::optional<std::string> log_directory = source_log_directory();
    const std::optional<std::string> history = wal.history_text();

    Datum values[32] = {};
    bool nulls[32] = {};
    pg_call([&] {
        int column = 0;
        auto add = [&](Datum value) { values[column++] = value; };
        auto add_text = [&](const std::optional<std::string> &text) {
            nulls[column] = !text;
            values[column++] = text ? text_datum(*text) : 0;
        };
        add(text_datum(library_version));
        add(Int32GetDatum(compat::server_version));
        add(Int64GetDatum(static_cast<int64_t>(data.system_identifier)));
        add(Int32GetDatum(static_cast<int32_t>(data.pg_control_version)));
        add(Int32GetDatum(static_cast<int32_t>(data.catalog_version_no)));
        add(Int32GetDatum(static_cast<int32_t>(data.blcksz)));
        add(Int32GetDatum(static_cast<int32_t>(data.relseg_size)));
        add(Int32GetDatum(static_cast<int32_t>(data.xlog_blcksz)));
        add(Int32GetDatum(static_cast<int32_t>(data.xlog_seg_size)));
        add(BoolGetDatum(DataChecksumsEnabled()));
        // What governs the WAL of this cluster: on a standby that is the primary's setting, which
        // pg_control follows, and not the standby's own.
        add(BoolGetDatum(data.wal_log_hints));
        add(BoolGetDatum(fullPageWrites));
        add(text_datum(wal_level_name(data.wal_level)));
        add(BoolGetDatum(wal.in_recovery()));
        add(Int64GetDatum(wal.timeline()));
        add(LSNGetDatum(data.checkPoint));
        add(LSNGetDatum(data.checkPointCopy.redo));
        add(LSNGetDatum(wal.end()));
        add_text(log_directory);
        add_text(history);
        add(Int32GetDatum(data.MaxConnections));
        add(Int32GetDatum(data.max_worker_processes));
        add(Int32GetDatum(data.max_wal_senders));
        add(Int32GetDatum(data.max_prepared_xacts));
        add(Int32GetDatum(data.max_locks_per_xact));
        add(bytea_datum(control.bytes()));
    });
    return form_row(fcinfo, values, nulls);
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_source_state);
Datum pg_failback_source_state(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::source_state>(fcinfo);
}
}
