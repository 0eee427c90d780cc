// Every difference between PostgreSQL's major versions that the extension meets.
#pragma once

#include "extension/pg_backend.h"

extern "C" {
#if PG_VERSION_NUM >= 190000
#include "libpq/hba.h"
#include "libpq/libpq.h"
#include "utils/guc.h"
#endif
#include "replication/slot.h"
}

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "pg_failback knows PostgreSQL 15 to 19: for another major, review what its server offers and extension/pg_compat.h first"
#endif

namespace failback::compat {

// The server's version as its setting server_version_num has it.
inline constexpr int32 server_version = PG_VERSION_NUM;

// A physical replication slot, acquired by this session. Ereports.
inline void create_slot(const char *name, ReplicationSlotPersistency persistency)
{
#if PG_VERSION_NUM >= 190000
    ReplicationSlotCreate(name, false, persistency, false, false, false, false);
#elif PG_VERSION_NUM >= 170000
    ReplicationSlotCreate(name, false, persistency, false, false, false);
#else
    ReplicationSlotCreate(name, false, persistency, false);
#endif
}

// Has the server given up to keep WAL for the slot? The slot's mutex is held by the caller.
inline bool is_invalidated(const ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 160000
    return slot->data.invalidated != RS_INVAL_NONE;
#else
    return slot->data.invalidated_at != InvalidXLogRecPtr;
#endif
}

// An existing slot, if nobody uses it. Ereports.
inline void acquire_slot(const char *name)
{
#if PG_VERSION_NUM >= 180000
    ReplicationSlotAcquire(name, true, true);
#else
    ReplicationSlotAcquire(name, true);
#endif
}

// Does the slot belong to this session?
inline bool is_own_slot(const ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 190000
    return slot->active_proc == MyProcNumber;
#else
    return slot->active_pid == MyProcPid;
#endif
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

// A slot that is held, but not acquired all the time, is not idle: 18 invalidates those that are for too long
// (idle_replication_slot_timeout), and ends their session. The slot's mutex is held by the caller.
inline void mark_in_use([[maybe_unused]] ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 180000
    slot->inactive_since = 0;
#endif
}

// The private keys beside ssl_key_file: from 19 on each host name may have its own (pg_hosts.conf). Calls is_it(path) for each
// until one is true. May ereport.
template <typename Predicate>
bool any_host_key([[maybe_unused]] Predicate is_it)
{
#if PG_VERSION_NUM >= 190000
    List *hosts = NIL;
    char *error = nullptr;
    const int result = load_hosts(&hosts, &error);
    // The server goes on with what it has loaded before: which keys those are is no longer known.
    if (result == HOSTSFILE_LOAD_FAILED)
        ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("could not load \"%s\", which tells what the server's private keys are", HostsFileName),
                        errdetail("%s", error ? error : "")));
    if (result != HOSTSFILE_LOAD_OK)
        return false;
    ListCell *cell;
    foreach (cell, hosts)
        if (const char *key = static_cast<HostsLine *>(lfirst(cell))->ssl_key; key && is_it(key))
            return true;
#endif
    return false;
}

} // namespace failback::compat
