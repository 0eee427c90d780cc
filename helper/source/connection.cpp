#include "helper/source/connection.h"

#include "helper/cancel.h"

#include <cerrno>
#include <algorithm>
#include <cstring>
#include <poll.h>
#include <sys/ioctl.h>

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

// What may come between two results, bytes: twice the largest that is agreed (a timeline history of 16 MB). libpq
// itself would gather up to 1 GB in one message, and more in what is no row (notices, settings).
constexpr int64_t max_bytes_between_results = 32 * 1024 * 1024;

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

// libpq shows the part of the string that it cannot read, which may be the password.
void check_conninfo(const std::string &conninfo)
{
    bool is_conninfo = conninfo.find('=') != std::string::npos || conninfo.find("://") != std::string::npos;
    char *problem = nullptr;
    PQconninfoOption *options = is_conninfo ? PQconninfoParse(conninfo.c_str(), &problem) : nullptr;
    if (is_conninfo && options == nullptr) {
        std::string message = printable(problem);
        PQfreemem(problem);
        bool secret = conninfo.find("password") != std::string::npos || conninfo.find('@') != std::string::npos;
        throw Error(ErrorCode::invalid_parameter, "the connection string given as --source-server is not valid",
                    secret ? "What is wrong with it is not shown, as it may hold a password." : message,
                    "Values with spaces, quotes or backslashes are written in single quotes, in URIs percent-encoded.");
    }
    PQconninfoFree(options);
}

void ignore_notice(void *, const PGresult *) {}

// Our defaults come first and the user's string, expanded from dbname, overrides them.
PGconn *connect(const ConnectionOptions &options)
{
    check_conninfo(options.conninfo);
    std::string keepalive_idle = "10";
    std::string user_timeout = std::to_string(options.timeout_seconds * 1000LL);
    std::string connect_timeout = std::to_string(options.timeout_seconds);
    std::vector<const char *> keys = {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
                                      "tcp_user_timeout", "connect_timeout", "fallback_application_name", "dbname"};
    std::vector<const char *> values = {"1", keepalive_idle.c_str(), "5", "3", user_timeout.c_str(),
                                        connect_timeout.c_str(), "pg_failback", options.conninfo.c_str()};
    if (options.timeout_seconds == 0) {
        // Without a deadline of ours the kernel's and libpq's defaults stand.
        keys.erase(keys.begin() + 4, keys.begin() + 6);
        values.erase(values.begin() + 4, values.begin() + 6);
    }
    // Only the first dbname is taken apart as a connection string; this one is a name, whatever it looks like.
    if (!options.database.empty()) {
        keys.push_back("dbname");
        values.push_back(options.database.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    return PQconnectdbParams(keys.data(), values.data(), 1);
}

} // namespace

Connection::Connection(const ConnectionOptions &options)
    : connection_(connect(options)), patience_seconds_(options.timeout_seconds)
{
    if (!connection_)
        throw std::bad_alloc();
    if (PQstatus(connection_.get()) != CONNECTION_OK)
        throw Error(ErrorCode::connection_failure, printable(PQerrorMessage(connection_.get())), "",
                    "The source must be running and reachable with the connection string given as --source-server.");
    if (!options.required_host.empty() && (options.required_host != PQhost(connection_.get()) ||
                                           options.required_port != PQport(connection_.get())))
        throw Error(ErrorCode::connection_failure,
                    format("the connection string led to server \"%s\" port %s this time, not to \"%s\" port %s",
                           PQhost(connection_.get()), PQport(connection_.get()), options.required_host.c_str(),
                           options.required_port.c_str()));
    if (PQsetnonblocking(connection_.get(), 1) != 0)
        fail(nullptr, "could not prepare the connection");
    PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
    // Nothing on the search path may stand in for what we call; settings of the role or database must not
    // interrupt a long transfer.
    query("SELECT pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('jit', 'off', false),"
          " pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('lock_timeout', '0', false),"
          " pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),"
          " pg_catalog.set_config('idle_session_timeout', '0', false),"
          " pg_catalog.set_config('DateStyle', 'ISO', false)");
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
    constexpr int slice_ms = 200;
    for (int64_t waited_ms = 0;; waited_ms += slice_ms) {
        check_cancelled();
        struct pollfd poll_entry = {PQsocket(connection_.get()), events, 0};
        int ready = ::poll(&poll_entry, 1, slice_ms);
        if (ready > 0 || (ready < 0 && errno == EINTR))
            break;
        if (ready < 0)
            throw io_error("wait on", "connection to the source", errno);
        if (patience_seconds_ > 0 && waited_ms >= int64_t{patience_seconds_} * 1000)
            // Not a broken connection: another one to a source that stalls would only make the wait longer.
            throw Error(ErrorCode::timed_out,
                        format("the source sent nothing for %d seconds", patience_seconds_), "",
                        "The time limit can be changed with --timeout.");
    }
    int arrived = 0;
    if (::ioctl(PQsocket(connection_.get()), FIONREAD, &arrived) == 0)
        unanswered_bytes_ += arrived;
    if (unanswered_bytes_ > max_bytes_between_results)
        throw Error(ErrorCode::limit_exceeded, "the source sent more at once than agreed",
                    format("More than %lld bytes came without a complete result.", static_cast<long long>(max_bytes_between_results)),
                    "Do not trust this source.");
    if (PQconsumeInput(connection_.get()) == 0)
        fail(nullptr, "lost the connection to the source");
}

PgResult Connection::get_result()
{
    while (PQisBusy(connection_.get()) != 0)
        wait(POLLIN);
    unanswered_bytes_ = 0;
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
