// pg_failback_reserve_slot() and pg_failback_drop_slot(): the permanent slot that the new standby will stream from.
//
// It takes over from the temporary slot of pg_failback_hold_wal(), so that no WAL is removed between the end of
// the failback and the standby's first connection. It is made in the one call just before the commit: until then only
// the session's own slot keeps WAL, and whatever ends the session ends that. A temporary slot of the final name would
// stand in the way of the next run as long as the server has not noticed that the connection is gone.

#include "extension/pg_compat.h"
#include "extension/row_stream.h"
#include "extension/wal_hold.h"

extern "C" {
#include "storage/spin.h"
}

namespace failback {

namespace {

// The slot that this session has made, which is the only one that it may drop.
char made_here[NAMEDATALEN];

// Acquires it. Nothing is thrown while it is acquired: whoever caught the error would have it still.
void acquire_existing_slot(ReplicationSlot *slot, const char *name)
{
    SpinLockAcquire(&slot->mutex);
    const bool logical = slot->data.database != InvalidOid;
    const bool permanent = slot->data.persistency == RS_PERSISTENT;
    const bool invalidated = compat::is_invalidated(slot);
    SpinLockRelease(&slot->mutex);
    if (logical)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" is a logical one", name), {},
                    "A standby streams from a physical replication slot.");
    if (!permanent)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" is a temporary one", name), {},
                    "It would be gone when the standby comes.");
    if (invalidated)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" has been invalidated", name), {},
                    "Drop it, and have it created again with --create-slot.");
    pg_call([&] { compat::acquire_slot(name); }); // ereports if somebody uses it
}

// An acquired slot that goes when it is released, or with any error before it is made permanent.
void create_slot(const char *name)
{
    pg_call([&] {
        compat::check_slot_requirements();
        compat::create_slot(name, RS_EPHEMERAL);
    });
}

// The acquired slot keeps WAL from `lsn` on, or from where it kept it already.
void point_slot(XLogRecPtr lsn)
{
    ReplicationSlot *slot = MyReplicationSlot;
    SpinLockAcquire(&slot->mutex);
    if (slot->data.restart_lsn == InvalidXLogRecPtr || slot->data.restart_lsn > lsn)
        slot->data.restart_lsn = lsn;
    SpinLockRelease(&slot->mutex);
    pg_call([] {
        if (MyReplicationSlot->data.persistency == RS_EPHEMERAL) {
            ReplicationSlotPersist();
        } else {
            ReplicationSlotMarkDirty();
            ReplicationSlotSave();
        }
        ReplicationSlotsComputeRequiredLSN();
    });
}

Datum reserve_slot(FunctionCallInfo fcinfo)
{
    const char *name = NameStr(*PG_GETARG_NAME(0));
    const bool create = PG_GETARG_BOOL(1);
    // Nobody is to have a slot keep more than what is there for certain, and what he keeps himself.
    const XLogRecPtr held = held_wal();
    if (held == InvalidXLogRecPtr)
        throw Error(ErrorCode::wrong_state, "this session holds no WAL that a slot could take over", {},
                    "Call pg_failback_hold_wal() first.");
    ReplicationSlot *slot = pg_call([&] { return SearchNamedReplicationSlot(name, true); });
    if (!slot && !create)
        throw Error(ErrorCode::wrong_state, format("replication slot \"%s\" does not exist", name), {},
                    "Create it on the source, or have it created with --create-slot.");
    if (slot)
        acquire_existing_slot(slot, name);
    else
        create_slot(name);
    try {
        point_slot(held);
    } catch (...) {
        // Whoever caught the error would have it still. A new one goes: with that, or, if it counted as permanent already, now.
        pg_call([&] {
            ReplicationSlotRelease();
            if (!slot && SearchNamedReplicationSlot(name, true))
                ReplicationSlotDrop(name, true);
        });
        throw;
    }
    if (!slot)
        strlcpy(made_here, name, NAMEDATALEN);
    pg_call([] { ReplicationSlotRelease(); });
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
