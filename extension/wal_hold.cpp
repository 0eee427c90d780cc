// pg_failback_hold_wal() and pg_failback_release_wal(): keep the WAL that the new standby will need.

#include "extension/wal_hold.h"

#include "extension/pg_compat.h"
#include "extension/row_stream.h"
#include "extension/running_wal.h"
#include "extension/source_files.h"

extern "C" {
#include "storage/spin.h"
}

namespace failback {

namespace {

std::string lsn_text(XLogRecPtr lsn)
{
    return format("%X/%X", static_cast<uint32_t>(lsn >> 32), static_cast<uint32_t>(lsn));
}

struct SlotName {
    char text[NAMEDATALEN];
};

SlotName slot_name()
{
    SlotName name;
    std::snprintf(name.text, sizeof(name.text), "pg_failback_%d", MyProcPid);
    return name;
}

// The slot of this session, or nullptr. It can be gone: an error at the top level of the session
// drops its temporary slots.
ReplicationSlot *find_slot(const SlotName &name)
{
    return pg_call([&]() -> ReplicationSlot * {
        ReplicationSlot *slot = SearchNamedReplicationSlot(name.text, true);
        return slot && compat::is_own_slot(slot) ? slot : nullptr;
    });
}

bool drop_slot(const SlotName &name)
{
    if (!find_slot(name))
        return false;
    pg_call([&] { ReplicationSlotDrop(name.text, true); });
    return true;
}

// Makes every checkpoint that begins after this keep what lies from `lsn` on. One that is under way has decided what goes
// when it began to remove WAL, or (15.14, 17.6 and their later minors) when it began; it may end this session for that. A caller
// that wants to be sure asks again later, which looks again, and for no more than it still needs.
void point_slot(const SlotName &name, XLogRecPtr lsn)
{
    if (!find_slot(name)) {
        pg_call([&] {
            compat::check_slot_requirements();
            compat::create_slot(name.text, RS_TEMPORARY);
            ReplicationSlotRelease();
        });
    }
    ReplicationSlot *slot = find_slot(name);
    if (!slot)
        throw Error(ErrorCode::internal, "replication slot of this session is missing");
    SpinLockAcquire(&slot->mutex);
    slot->data.restart_lsn = lsn;
    compat::mark_in_use(slot);
    SpinLockRelease(&slot->mutex);
    pg_call([] { ReplicationSlotsComputeRequiredLSN(); });
}

// The path of a segment from `lsn` on that is not there any more; nullopt if none is missing.
std::optional<std::string> missing_segment(const RunningWal &wal, XLogRecPtr lsn)
{
    const XLogSegNo first = wal.segment_of(lsn);
    // The segment of the very end may not have been made yet.
    for (XLogSegNo segment = first; segment <= wal.last_segment(); ++segment) {
        check_interrupts();
        std::string path = wal.segment_path(segment);
        if (!SourceFile(path))
            return path;
    }
    // A checkpoint says how far it will remove before it does.
    if (first <= XLogGetLastRemovedSegno())
        return wal.segment_path(first);
    return std::nullopt;
}

Datum hold_wal(FunctionCallInfo fcinfo)
{
    const XLogRecPtr lsn = PG_GETARG_LSN(0);
    const RunningWal wal = RunningWal::look(ControlImage::read());
    if (lsn == 0 || lsn > wal.end())
        throw Error(ErrorCode::invalid_parameter,
                    format("WAL location %s is not in the WAL of this server", lsn_text(lsn).c_str()), {},
                    "Pass a location that lies before the current end of WAL.");

    const SlotName name = slot_name();
    point_slot(name, lsn);
    // Only now that nothing more can go is it worth looking.
    if (auto missing = missing_segment(wal, lsn)) {
        drop_slot(name);
        throw Error(ErrorCode::wrong_state, format("WAL from location %s on is gone", lsn_text(lsn).c_str()),
                    format("File \"%s\" has already been removed.", missing->c_str()),
                    "Raise wal_keep_size or max_slot_wal_keep_size on the source, or take the WAL from its archive.");
    }
    return pg_call([&] { return CStringGetTextDatum(name.text); });
}

Datum release_wal(FunctionCallInfo)
{
    return BoolGetDatum(drop_slot(slot_name()));
}

} // namespace

XLogRecPtr held_wal()
{
    ReplicationSlot *slot = find_slot(slot_name());
    if (!slot)
        return InvalidXLogRecPtr;
    SpinLockAcquire(&slot->mutex);
    XLogRecPtr lsn = compat::is_invalidated(slot) ? InvalidXLogRecPtr : slot->data.restart_lsn;
    SpinLockRelease(&slot->mutex);
    return lsn;
}

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_hold_wal);
Datum pg_failback_hold_wal(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::hold_wal>(fcinfo);
}

PG_FUNCTION_INFO_V1(pg_failback_release_wal);
Datum pg_failback_release_wal(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::release_wal>(fcinfo);
}
}
