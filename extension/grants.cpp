// pg_failback_grant() and pg_failback_revoke(): the right to execute the extension's functions.

#include "extension/boundary.h"

extern "C" {
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "catalog/dependency.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
}

namespace failback {

namespace {

// Plain C style: everything here can ereport, so that nothing may need a destructor.

void run(const char *command, int expected)
{
    int result = SPI_execute(command, false, 0);
    if (result != expected)
        elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
}

// The extension's functions other than these two, each ready to be named in GRANT, and its schema.
void select_functions(Oid extension)
{
    char *query = psprintf(
        "SELECT pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),"
        " pg_catalog.quote_ident(n.nspname)"
        " FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid"
        " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
        " WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
        " AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
        " AND d.refobjid OPERATOR(pg_catalog.=) %u AND d.deptype OPERATOR(pg_catalog.=) 'e'"
        " AND p.proname OPERATOR(pg_catalog.<>) ALL ('{pg_failback_grant,pg_failback_revoke}')"
        " ORDER BY p.proname",
        extension);
    run(query, SPI_OK_SELECT);
}

void change(Oid function, Oid role, bool grant)
{
    const char *role_name = quote_identifier(GetUserNameFromId(role, false));
    Oid extension = getExtensionOfObject(ProcedureRelationId, function);
    if (!OidIsValid(extension))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("function is not part of an extension"),
                        errhint("Install it with CREATE EXTENSION pg_failback.")));
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "SPI_connect failed");
    select_functions(extension);

    StringInfoData command;
    initStringInfo(&command);
    appendStringInfoString(&command, grant ? "GRANT EXECUTE ON FUNCTION " : "REVOKE EXECUTE ON FUNCTION ");
    SPITupleTable *table = SPI_tuptable;
    for (uint64 i = 0; i < SPI_processed; i++)
        appendStringInfo(&command, "%s%s", i > 0 ? ", " : "", SPI_getvalue(table->vals[i], table->tupdesc, 1));
    char *schema = SPI_getvalue(table->vals[0], table->tupdesc, 2);
    appendStringInfo(&command, "%s%s", grant ? " TO " : " FROM ", role_name);
    run(command.data, SPI_OK_UTILITY);

    // Without USAGE the grant would be of no use. It is not taken back: others may rely on it.
    if (grant) {
        char *question = psprintf("SELECT 1 WHERE NOT pg_catalog.has_schema_privilege(%u::pg_catalog.oid,"
                                  " (SELECT p.pronamespace FROM pg_catalog.pg_proc p"
                                  " WHERE p.oid OPERATOR(pg_catalog.=) %u), 'USAGE')", role, function);
        run(question, SPI_OK_SELECT);
        if (SPI_processed > 0)
            run(psprintf("GRANT USAGE ON SCHEMA %s TO %s", schema, role_name), SPI_OK_UTILITY);
    }
    SPI_finish();
}

template <bool grant>
Datum change_grants(FunctionCallInfo fcinfo)
{
    const Oid role = PG_GETARG_OID(0);
    if (!OidIsValid(role))
        throw Error(ErrorCode::invalid_parameter, "a role must be named");
    pg_call([&] { change(fcinfo->flinfo->fn_oid, role, grant); });
    PG_RETURN_VOID();
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_grant);
Datum pg_failback_grant(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::change_grants<true>>(fcinfo);
}

PG_FUNCTION_INFO_V1(pg_failback_revoke);
Datum pg_failback_revoke(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::change_grants<false>>(fcinfo);
}
}
