// pg_failback_recovery_end(): how far a standby made from files read before this call must replay.

#include "extension/row_stream.h"
#include "extension/running_wal.h"

extern "C" {
#include "storage/standby.h"
}

namespace failback {

namespace {

Datum recovery_end(FunctionCallInfo fcinfo)
{
    XLogRecPtr lsn;
    TimeLineID timeline;
    const bool in_recovery = RecoveryInProgress();
    if (in_recovery) {
        // What is on disk is at most as new as minRecoveryPoint, which may be of an older timeline than the running one
        // and may be ahead of replay by the record being replayed: the later of both is safe, and a record's end.
        const ControlImage control = ControlImage::read();
        lsn = GetXLogReplayRecPtr(&timeline);
        if (lsn < control.data().minRecoveryPoint) {
            lsn = control.data().minRecoveryPoint;
            timeline = control.data().minRecoveryPointTLI;
        }
    } else {
        if (!XLogStandbyInfoActive())
            throw Error(ErrorCode::wrong_state, "WAL level is not sufficient for a standby", {},
                        "Set wal_level to \"replica\" or \"logical\" on the source.");
        // A record's end, which recovery reaches; the insert position of an idle server may be a page
        // header, which it does not. With the running transactions known, the standby opens at once.
        lsn = pg_call([] {
            XLogRecPtr end = LogStandbySnapshot();
            XLogFlush(end);
            return end;
        });
        timeline = GetWALInsertionTimeLine();
    }

    Datum values[] = {LSNGetDatum(lsn), Int64GetDatum(timeline), BoolGetDatum(in_recovery)};
    bool nulls[] = {false, false, false};
    return form_row(fcinfo, values, nulls);
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_recovery_end);
Datum pg_failback_recovery_end(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::recovery_end>(fcinfo);
}
}
