// pg_failback_reserve_slot() and pg_failback_drop_slot(): the permanent slot that the new standby will stream from.
//
// It takes over from the temporary slot of pg_failback_hold_wal(), so that no WAL is removed between the end of
// the failback and the standby's first connection.

#include "extension/pg_compat.h"
#include "extension/row_stream.h"

extern "C" {
#include "storage/spin.h"
}

namespace failback {

namespace {

// The slot that this session has made, which is the only one that it may drop.
char made_here[NAMEDATALEN];

void create_slot(const char *name)
{
    pg_call([&] {
        compat::check_slot_requirements();
        compat::create_permanent_slot(name);
    });
    strlcpy(made_here, name, NAMEDATALEN);
}

void acquire_existing_slot(ReplicationSlot *slot, const char *name)
{
    if (slot->data.database != InvalidOid)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" is a logical one", name), {},
                    "A standby streams from a physical replication slot.");
    pg_call([&] { compat::acquire_slot(name); }); // ereports if somebody uses it
}

// Keeps WAL from `lsn` on, or from where the slot (acquired by us) kept it already.
void point_and_release(XLogRecPtr lsn)
{
    ReplicationSlot *slot = MyReplicationSlot;
    SpinLockAcquire(&slot->mutex);
    if (slot->data.restart_lsn == InvalidXLogRecPtr || slot->data.restart_lsn > lsn)
        slot->data.restart_lsn = lsn;
    SpinLockRelease(&slot->mutex);
    pg_call([] {
        ReplicationSlotMarkDirty();
        ReplicationSlotsComputeRequiredLSN();
        ReplicationSlotSave();
        ReplicationSlotRelease();
    });
}

Datum reserve_slot(FunctionCallInfo fcinfo)
{
    const char *name = NameStr(*PG_GETARG_NAME(0));
    const XLogRecPtr lsn = PG_GETARG_LSN(1);
    const bool create = PG_GETARG_BOOL(2);
    ReplicationSlot *slot = pg_call([&] { return SearchNamedReplicationSlot(name, true); });
    if (!slot && !create)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" does not exist", name), {},
                    "Create it on the source, or have it created with --create-slot.");
    if (slot)
        acquire_existing_slot(slot, name);
    else
        create_slot(name);
    point_and_release(lsn);
    return BoolGetDatum(slot == nullptr);
}

Datum drop_slot(FunctionCallInfo fcinfo)
{
    const char *name = NameStr(*PG_GETARG_NAME(0));
    if (std::strcmp(name, made_here) != 0)
        throw Error(ErrorCode::access_denied, format("replication slot \"%s\" was not made in this session", name), {},
                    "Use pg_drop_replication_slot() to drop it.");
    pg_call([&] { ReplicationSlotDrop(name, true); });
    made_here[0] = '\0';
    return Datum{0};
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_reserve_slot);
Datum pg_failback_reserve_slot(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::reserve_slot>(fcinfo);
}

PG_FUNCTION_INFO_V1(pg_failback_drop_slot);
Datum pg_failback_drop_slot(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::drop_slot>(fcinfo);
}
}
