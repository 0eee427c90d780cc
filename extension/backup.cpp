// pg_failback_backup_start() and pg_failback_backup_stop(): an online backup around a comparison of contents.
//
// While a backup runs, WAL carries whole page images even where full_page_writes is off, so that pages that were
// torn while they were read are repaired by replay. The server's own functions are called by OID, as the role that
// may call ours needs no right on them.

#include "extension/boundary.h"
#include "extension/row_stream.h"

extern "C" {
#include "utils/fmgroids.h"
}

namespace failback {

namespace {

Datum backup_start(FunctionCallInfo fcinfo)
{
    require_not_null(fcinfo, 0, "fast");
    bool fast = PG_GETARG_BOOL(0);
    return pg_call([&] {
        return OidFunctionCall2(F_PG_BACKUP_START, CStringGetTextDatum("pg_failback"), BoolGetDatum(fast));
    });
}

Datum backup_stop(FunctionCallInfo)
{
    // Our copy has its own end of recovery and its own label: nothing is waited for, the label is not used.
    pg_call([] { return OidFunctionCall1(F_PG_BACKUP_STOP, BoolGetDatum(false)); });
    return Datum{0};
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_backup_start);
Datum pg_failback_backup_start(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::backup_start>(fcinfo);
}

PG_FUNCTION_INFO_V1(pg_failback_backup_stop);
Datum pg_failback_backup_stop(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::backup_stop>(fcinfo);
}
}
