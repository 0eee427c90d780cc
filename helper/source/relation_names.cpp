#include "helper/source/relation_names.h"

#include "common/error.h"

#include <algorithm>
#include <charconv>

namespace failback {

namespace {

constexpr const char *names_sql =
    "SELECT CASE c.reltablespace WHEN 0 THEN d.dattablespace ELSE c.reltablespace END,"
    " CASE WHEN c.relisshared THEN 0 ELSE d.oid END, pg_catalog.pg_relation_filenode(c.oid),"
    " pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, pg_catalog.format('%I.%I', COALESCE(tn.nspname, ''), COALESCE(t.relname, ''))"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " JOIN pg_catalog.pg_database d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
    " LEFT JOIN (pg_catalog.pg_class t JOIN pg_catalog.pg_namespace tn ON tn.oid OPERATOR(pg_catalog.=) t.relnamespace)"
    "  ON t.reltoastrelid OPERATOR(pg_catalog.=) c.oid"
    " WHERE pg_catalog.pg_relation_filenode(c.oid) IS NOT NULL";

// A name may have line ends, a report has a line for each file.
std::string on_one_line(const char *text)
{
    std::string line = printable(text);
    std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, '?');
    return line;
}

uint32_t number(const PgResult &result, int row, int column)
{
    std::string_view text = PQgetvalue(result.get(), row, column);
    uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        throw Error(ErrorCode::protocol_violation, "the source sent something else than a number for a relation's file");
    return value;
}

std::string kind_text(std::string_view kind, const std::string &toast_of)
{
    if (kind == "t")
        return "TOAST table of " + toast_of;
    if (kind == "i")
        return "index";
    if (kind == "S")
        return "sequence";
    return kind == "m" ? "materialized view" : "table";
}

void add_names(Connection &connection, const std::set<RelationId> &wanted, RelationNames &names)
{
    std::string database = on_one_line(PQdb(connection.get()));
    connection.start_rows(names_sql, {}, false);
    while (PgResult row = connection.next_row()) {
        if (PQnfields(row.get()) != 6)
            throw Error(ErrorCode::protocol_violation, "the source sent a row of another shape than asked for");
        RelationId id{number(row, 0, 0), number(row, 0, 1), number(row, 0, 2)};
        if (wanted.contains(id))
            names[id] = {id.database == 0 ? "" : database, on_one_line(PQgetvalue(row.get(), 0, 3)),
                         kind_text(PQgetvalue(row.get(), 0, 4), on_one_line(PQgetvalue(row.get(), 0, 5)))};
    }
}

// Names of these databases but the connection's own; whether the role may connect.
std::map<std::string, bool> databases_of(Connection &connection, const std::set<uint32_t> &wanted)
{
    std::map<std::string, bool> names;
    connection.start_rows("SELECT oid, datname, datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') FROM pg_catalog.pg_database"
                          " WHERE datname OPERATOR(pg_catalog.<>) pg_catalog.current_database()", {}, false);
    while (PgResult row = connection.next_row()) {
        if (PQnfields(row.get()) != 3 || names.size() > wanted.size())
            throw Error(ErrorCode::protocol_violation, "the source sent other rows than asked for");
        if (wanted.contains(number(row, 0, 0)))
            names[PQgetvalue(row.get(), 0, 1)] = std::string_view(PQgetvalue(row.get(), 0, 2)) == "t";
    }
    return names;
}

} // namespace

RelationNames read_relation_names(Connection &connection, const ConnectionOptions &options, const std::set<RelationId> &wanted,
                                  std::vector<std::string> &notes)
{
    std::set<uint32_t> databases;
    for (const RelationId &id : wanted)
        databases.insert(id.database);
    RelationNames names;
    if (!databases.empty()) // its own and the shared ones
        add_names(connection, wanted, names);
    ConnectionOptions other = options;
    // The extension need not be in other databases. Until the server is restarted its connections have this in common:
    other.identity_sql = "SELECT pg_catalog.pg_postmaster_start_time()";
    other.required_identity = connection.identity(other.identity_sql);
    for (const auto &[name, allowed] : databases_of(connection, databases)) {
        if (!allowed) {
            notes.push_back(format("no names of relations in database \"%s\": connections to it are not allowed", on_one_line(name.c_str()).c_str()));
            continue;
        }
        try {
            other.database = name;
            Connection there(other);
            add_names(there, wanted, names);
        } catch (const Error &error) {
            if (error.code() == ErrorCode::cancelled)
                throw;
            notes.push_back(format("no names of relations in database \"%s\": %s", on_one_line(name.c_str()).c_str(), error.what()));
        }
    }
    return names;
}

} // namespace failback
