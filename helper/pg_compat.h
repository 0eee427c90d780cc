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
static_assert(sizeof(PgRelation) == 12, "the relation in a WAL block reference has another size: review wal_record.cpp");

} // namespace failback
