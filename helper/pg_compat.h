// Every difference between PostgreSQL majors that the helper meets stands here, and nowhere else.
#pragma once

#include "common/path_rules.h"
#include "helper/pg_frontend.h"

extern "C" {
#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlogrecord.h"
#include "catalog/storage_xlog.h"
#include "commands/dbcommands_xlog.h"
#if PG_VERSION_NUM >= 160000
#include "storage/relfilelocator.h"
#else
#include "storage/relfilenode.h"
#endif
}

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "pg_failback knows PostgreSQL 15 to 19: for another major, review its WAL format and helper/pg_compat.h first"
#endif

namespace failback {

// 16 renamed RelFileNode and its fields; what stands in WAL is the same three numbers.
#if PG_VERSION_NUM >= 160000
using PgRelation = RelFileLocator;

inline RelationId relation_id(const PgRelation &relation)
{
    return {relation.spcOid, relation.dbOid, relation.relNumber};
}

inline RelationId relation_id(const xl_smgr_create &record)
{
    return relation_id(record.rlocator);
}

inline RelationId relation_id(const xl_smgr_truncate &record)
{
    return relation_id(record.rlocator);
}
#else
using PgRelation = RelFileNode;

inline RelationId relation_id(const PgRelation &relation)
{
    return {relation.spcNode, relation.dbNode, relation.relNode};
}

inline RelationId relation_id(const xl_smgr_create &record)
{
    return relation_id(record.rnode);
}

inline RelationId relation_id(const xl_smgr_truncate &record)
{
    return relation_id(record.rnode);
}
#endif
// 19 renamed it; two bytes in WAL everywhere.
#if PG_VERSION_NUM >= 190000
using PgOriginId = ReplOriginId;
#else
using PgOriginId = RepOriginId;
#endif
static_assert(sizeof(PgOriginId) == 2, "a WAL record's origin has another size: review wal_record.cpp");

// Names the file that gives each host name a private key of its own; there from 19 on.
#if PG_VERSION_NUM >= 190000
inline constexpr const char *hosts_setting = "hosts_file";
#else
inline constexpr const char *hosts_setting = nullptr;
#endif

// Resource managers are the same in all of them: wal_scan.cpp was reviewed for these.
static_assert(RM_MAX_BUILTIN_ID == RM_LOGICALMSG_ID, "there is a new resource manager in WAL: review wal_scan.cpp");

// Is char signed, as far as the order in indexes goes? pg_control tells from 18 on; before, it was the machine's own
// and maxAlign and its like are all there is to compare.
inline bool char_is_signed([[maybe_unused]] const ControlFileData &control)
{
#if PG_VERSION_NUM >= 180000
    return reinterpret_cast<const unsigned char &>(control.default_char_signedness) != 0; // a bool that may hold anything
#else
    return true;
#endif
}

// Pages in a file of pg_xact and its like. Before 19 a constant, which the major fixes.
inline uint32_t slru_pages_per_segment([[maybe_unused]] const ControlFileData &control)
{
#if PG_VERSION_NUM >= 190000
    return control.slru_pages_per_segment;
#else
    return 0;
#endif
}

// 17 added the system identifier to backup_manifest, and with it the number 2.
#if PG_VERSION_NUM >= 170000
inline constexpr int backup_manifest_version = 2;
#else
inline constexpr int backup_manifest_version = 1;
#endif

static_assert(sizeof(PgRelation) == 12, "the relation in a WAL block reference has another size: review wal_record.cpp");

} // namespace failback
