#include "helper/source/connection.h"

#include <algorithm>
#include <cstring>
#include <poll.h>

namespace failback {

std::string printable(const char *text)
{
    constexpr size_t max_length = 4096;
    std::string line(text != nullptr ? text : "");
    line.resize(std::min(line.size(), max_length));
    while (!line.empty() && (line.back() == '\n' || line.back() == ' '))
        line.pop_back();
    std::replace_if(line.begin(), line.end(), [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; }, '?');
    // U+0080 to U+009F, which some terminals obey as well.
    for (size_t i = 0; i + 1 < line.size(); i++)
        if (static_cast<unsigned char>(line[i]) == 0xc2 && static_cast<unsigned char>(line[i + 1]) < 0xa0)
            line[i] = line[i + 1] = '?';
    return line;
}

namespace {

ErrorCode code_of_sqlstate(const char *sqlstate)
{
    if (sqlstate == nullptr)
        return ErrorCode::connection_failure;
    std::string_view state(sqlstate);
    if (state == "42501")
        return ErrorCode::access_denied;
    if (state == "58P01")
        return ErrorCode::undefined_file;
    if (state == "XX001")
        return ErrorCode::data_corrupted;
    if (state == "55000")
        return ErrorCode::wrong_state;
    if (state.starts_with("08") || state.starts_with("57P"))
        return ErrorCode::connection_failure;
    return ErrorCode::internal;
}

std::string field(const PGresult *result, int code)
{
    return printable(PQresultErrorField(result, code));
}

constexpr const char *one_server_hint = "In the connection string given as --source-server, name one server, and it directly.";

} // namespace

void ignore_notice(void *, const PGresult *) {}

Connection::Connection(const ConnectionOptions &options) : patience_seconds_(options.timeout_seconds)
{
    Connected made = connect(options);
    connection_ = std::move(made.connection);
    as_given_ = std::move(made.as_given);
    if (!options.required_host.empty() && (options.required_host != PQhost(connection_.get()) ||
                                           options.required_port != PQport(connection_.get())))
        throw Error(ErrorCode::connection_failure,
                    format("the connection string led to server \"%s\" port %s this time, not to \"%s\" port %s",
                           PQhost(connection_.get()), PQport(connection_.get()), options.required_host.c_str(),
                           options.required_port.c_str()),
                    "", one_server_hint);
    if (PQsetnonblocking(connection_.get(), 1) != 0)
        fail(nullptr, "could not prepare the connection");
    // Nothing on the search path may stand in for what we call; settings of the role or database must not
    // interrupt a long transfer.
    query("SELECT pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('jit', 'off', false),"
          " pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('lock_timeout', '0', false),"
          " pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),"
          " pg_catalog.set_config('idle_session_timeout', '0', false),"
          // A machine of ours that is gone without a word must not leave its session, slot and backup there for hours.
          " pg_catalog.set_config('tcp_keepalives_idle', '30', false), pg_catalog.set_config('tcp_keepalives_interval', '10', false),"
          " pg_catalog.set_config('tcp_keepalives_count', '3', false),"
          " pg_catalog.set_config('client_min_messages', 'notice', false)," // signs of life are notices
          " pg_catalog.set_config('DateStyle', 'ISO', false)");
    // A file's pages from one server and its list of files, or the end of recovery, from another: nothing would notice.
    if (!options.required_identity.empty() && identity(options.identity_sql) != options.required_identity)
        // No reason to go by another way: the next connection may lead anywhere too.
        throw Error(ErrorCode::protocol_violation, "the connection string led to another server than before",
                    format("Host \"%s\" port %s leads to more than one server.", PQhost(connection_.get()), PQport(connection_.get())),
                    one_server_hint);
}

std::string Connection::identity(const std::string &sql)
{
    constexpr int max_length = 64;
    PgResult row = query(sql, {}, true);
    if (!row || PQnfields(row.get()) != 1 || PQgetlength(row.get(), 0, 0) == 0 || PQgetlength(row.get(), 0, 0) > max_length)
        throw Error(ErrorCode::protocol_violation, "the source did not tell which server it is");
    return {PQgetvalue(row.get(), 0, 0), static_cast<size_t>(PQgetlength(row.get(), 0, 0))};
}

void Connection::fail(const PGresult *result, const char *what)
{
    if (result != nullptr && PQresultStatus(result) != PGRES_FATAL_ERROR)
        throw Error(ErrorCode::protocol_violation,
                    format("the source sent an answer of another kind than agreed (%s)", PQresStatus(PQresultStatus(result))));
    if (result == nullptr || PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr)
        throw Error(ErrorCode::connection_failure,
                    format("%s: %s", what, printable(PQerrorMessage(connection_.get())).c_str()));
    throw Error(code_of_sqlstate(PQresultErrorField(result, PG_DIAG_SQLSTATE)),
                format("%s: %s", what, field(result, PG_DIAG_MESSAGE_PRIMARY).c_str()),
                field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT));
}

void Connection::wait(short events)
{
    // In slices, so that a signal that another thread received is noticed too.
    for (int64_t waited_ms = 0; !wait_slice(PQsocket(connection_.get()), events); waited_ms += wait_slice_ms)
        if (patience_seconds_ > 0 && waited_ms >= int64_t{patience_seconds_} * 1000)
            // Not a broken connection: another one to a source that stalls would only make the wait longer.
            throw Error(ErrorCode::timed_out,
                        format("the source sent nothing for %d seconds", patience_seconds_), "",
                        "The time limit can be changed with --timeout.");
    unanswered_.add(PQsocket(connection_.get()));
    if (PQconsumeInput(connection_.get()) == 0)
        fail(nullptr, "lost the connection to the source");
}

PgResult Connection::get_result()
{
    while (PQisBusy(connection_.get()) != 0)
        wait(POLLIN);
    unanswered_.clear();
    return PgResult(PQgetResult(connection_.get()));
}

void Connection::send(const std::string &sql, const std::vector<QueryParameter> &parameters, bool binary)
{
    std::vector<Oid> types;
    std::vector<const char *> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const QueryParameter &parameter : parameters) {
        types.push_back(parameter.type);
        values.push_back(parameter.null ? nullptr : parameter.value.data());
        lengths.push_back(static_cast<int>(parameter.value.size()));
        formats.push_back(parameter.binary ? 1 : 0);
    }
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(parameters.size()), types.data(),
                          values.data(), lengths.data(), formats.data(), binary ? 1 : 0) == 0)
        fail(nullptr, "could not send a query to the source");
    // A request may be larger than what the socket takes at once.
    for (int unsent = PQflush(connection_.get()); unsent != 0; unsent = PQflush(connection_.get())) {
        if (unsent < 0)
            fail(nullptr, "could not send a query to the source");
        wait(POLLIN | POLLOUT);
    }
}

// Row by row always: of a whole result only its sender would decide how large it grows.
void Connection::start_rows(const std::string &sql, const std::vector<QueryParameter> &parameters, bool binary)
{
    send(sql, parameters, binary);
    if (PQsetSingleRowMode(connection_.get()) == 0)
        fail(nullptr, "could not read rows one at a time");
}

PgResult Connection::next_row()
{
    PgResult result = get_result();
    if (!result)
        throw Error(ErrorCode::protocol_violation, "the source sent no answer");
    if (PQresultStatus(result.get()) == PGRES_SINGLE_TUPLE)
        return result;
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
        fail_at_end(std::move(result));
    // An error may still come, nothing else.
    if (PgResult more = get_result())
        fail_at_end(std::move(more));
    return nullptr;
}

// The caller may want to go on with the connection, which takes the next query only when the answer to this one has ended.
void Connection::fail_at_end(PgResult result)
{
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
        try {
            if (get_result() && get_result())
                throw Error(ErrorCode::protocol_violation, "the source sent more after an error");
        } catch (const Error &error) {
            // The error that came with an answer tells more than that the connection ended after it.
            if (error.code() != ErrorCode::connection_failure)
                throw;
        }
    }
    fail(result.get(), "the source reported an error");
}

PgResult Connection::query(const std::string &sql, const std::vector<QueryParameter> &parameters, bool binary)
{
    start_rows(sql, parameters, binary);
    PgResult row = next_row();
    if (row && next_row())
        throw Error(ErrorCode::protocol_violation, "the source sent more rows than agreed");
    return row;
}

std::string quote_identifier(Connection &connection, const std::string &name)
{
    char *quoted = PQescapeIdentifier(connection.get(), name.c_str(), name.size());
    if (quoted == nullptr)
        throw Error(ErrorCode::internal, "could not quote an SQL identifier");
    std::string text(quoted);
    PQfreemem(quoted);
    return text;
}

} // namespace failback
