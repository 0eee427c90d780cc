#include "helper/source/extension_check.h"

#include "common/error.h"

namespace failback {

std::string find_extension(Connection &connection)
{
    PgResult result = connection.query(
        "SELECT e.extversion, n.nspname FROM pg_catalog.pg_extension e"
        " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
        " WHERE e.extname OPERATOR(pg_catalog.=) 'pg_failback'");
    std::string database = PQdb(connection.get());
    if (!result)
        throw Error(ErrorCode::wrong_state,
                    format("extension \"pg_failback\" is not installed in database \"%s\" of the source", database.c_str()),
                    "", format("Run CREATE EXTENSION pg_failback in database \"%s\" on the source.", database.c_str()));
    if (PQnfields(result.get()) != 2)
        throw Error(ErrorCode::protocol_violation, "the source did not tell the version of the extension");
    std::string version = printable(PQgetvalue(result.get(), 0, 0));
    if (version != required_extension_version)
        throw Error(ErrorCode::wrong_state,
                    format("extension \"pg_failback\" in database \"%s\" of the source has version %s, but this program"
                           " needs version %s",
                           database.c_str(), version.c_str(), required_extension_version),
                    "", "Run ALTER EXTENSION pg_failback UPDATE on the source, or use the program of the same version.");
    return quote_identifier(connection, PQgetvalue(result.get(), 0, 1));
}

void check_privileges(Connection &connection, const std::string &schema)
{
    PgResult result = connection.query(
        "SELECT pg_catalog.string_agg(pg_catalog.concat(p.proname, '()'), ', ' ORDER BY p.proname) FROM pg_catalog.pg_proc p"
        " JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
        "  AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'"
        " JOIN pg_catalog.pg_extension e ON d.refclassid OPERATOR(pg_catalog.=)"
        "  'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) e.oid"
        " WHERE e.extname OPERATOR(pg_catalog.=) 'pg_failback'"
        " AND p.proname OPERATOR(pg_catalog.<>) ALL ('{pg_failback_grant,pg_failback_revoke}'::pg_catalog.name[])"
        " AND NOT (pg_catalog.has_function_privilege(p.oid, 'EXECUTE')"
        "          AND pg_catalog.has_schema_privilege(p.pronamespace, 'USAGE'))");
    if (!result || PQgetisnull(result.get(), 0, 0) != 0)
        return;
    std::string names = printable(PQgetvalue(result.get(), 0, 0));
    std::string user = PQuser(connection.get());
    throw Error(ErrorCode::access_denied,
                format("role \"%s\" may not execute functions of the extension pg_failback on the source", user.c_str()),
                "Missing: " + names + ".",
                format("As a superuser on the source, run SELECT %s.pg_failback_grant('%s').", printable(schema.c_str()).c_str(), user.c_str()));
}

} // namespace failback
