// Every difference between PostgreSQL's major versions that the extension meets.
#pragma once

#include "extension/pg_backend.h"

extern "C" {
#include "replication/slot.h"
#include "storage/standby.h"
}

#if PG_VERSION_NUM < 150000
#error "pg_failback needs PostgreSQL 15 or later"
#endif

namespace failback::compat {

// A temporary physical replication slot, acquired by this session. Ereports.
inline void create_temporary_slot(const char *name)
{
#if PG_VERSION_NUM >= 190000
    ReplicationSlotCreate(name, false, RS_TEMPORARY, false, false, false, false);
#elif PG_VERSION_NUM >= 170000
    ReplicationSlotCreate(name, false, RS_TEMPORARY, false, false, false);
#else
    ReplicationSlotCreate(name, false, RS_TEMPORARY, false);
#endif
}

// Does the slot belong to this session?
inline bool is_own_slot(const ReplicationSlot *slot)
{
    return slot->active_pid == MyProcPid;
}

// Are there replication slots at all, and enough in WAL for them? Ereports.
inline void check_slot_requirements()
{
#if PG_VERSION_NUM >= 190000
    CheckSlotRequirements(false);
#else
    CheckSlotRequirements();
#endif
}

// Writes a record of the running transactions and returns its end. Ereports.
inline XLogRecPtr log_standby_snapshot()
{
#if PG_VERSION_NUM >= 190000
    return LogStandbySnapshot(InvalidOid);
#else
    return LogStandbySnapshot();
#endif
}

// Is every page that is written now given a checksum?
inline bool pages_have_checksums()
{
#if PG_VERSION_NUM >= 190000
    return DataChecksumsNeedVerify();
#else
    return DataChecksumsEnabled();
#endif
}

} // namespace failback::compat
