// A libpq connection with deadlines: a source that stalls ends in an error, not in waiting for ever.
#pragma once

#include "helper/cluster/lsn.h"
#include "helper/source/connect.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

struct PgResultDeleter {
    void operator()(PGresult *result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, PgResultDeleter>;

// A query parameter in binary format, or text when `binary` is false.
struct QueryParameter {
    Oid type = 0; // 0: let the server infer
    std::string value;
    bool binary = false;
    bool null = false;
};

// Errors of every call: Error(connection_failure) with the server's message (never the password), or an Error
// whose code follows the server's SQLSTATE. What the source sends is bounded: Error(limit_exceeded) for a row, or for
// whatever is not a row, that is far larger than any that is agreed. Notices are not shown.
class Connection {
public:
    // Ready for queries. A server named differently than required is an Error(connection_failure), as the right one may be
    // back soon; one that tells another identity than required is an Error(protocol_violation).
    explicit Connection(const ConnectionOptions &options);

    // The one row of the answer; null if it has none. Throws Error(protocol_violation) if it has more.
    PgResult query(const std::string &sql, const std::vector<QueryParameter> &parameters = {}, bool binary = false);

    // The answer of ConnectionOptions::identity_sql. Throws Error(protocol_violation) for what cannot be one.
    std::string identity(const std::string &sql);

    // Rows one at a time: start_rows(), then next_row() until it returns null.
    void start_rows(const std::string &sql, const std::vector<QueryParameter> &parameters, bool binary = true);
    PgResult next_row();

    // For a query that may take its time without sending anything, such as a checkpoint. 0: for ever.
    void set_patience(int seconds) { patience_seconds_ = seconds; }

    PGconn *get() const { return connection_.get(); }
    // For PQconninfo(): with all the servers that the connection string names.
    PGconn *as_given() const { return as_given_ ? as_given_.get() : connection_.get(); }

private:
    void send(const std::string &sql, const std::vector<QueryParameter> &parameters, bool binary);
    void wait(short events);
    PgResult get_result();
    [[noreturn]] void fail(const PGresult *result, const char *what);
    [[noreturn]] void fail_at_end(PgResult result);

    PgConnection connection_;
    PgConnection as_given_; // null, or see Connected
    int patience_seconds_;
    ArrivedBytes unanswered_; // since the last result
};

// The other side's words, made fit for a terminal and a log: no control characters but line ends and tabs, no endless text.
// nullptr is empty.
std::string printable(const char *text);

// For PQsetNoticeReceiver(): what the other side tells unasked is not shown.
void ignore_notice(void *, const pg_result *);

// `"name"`, quoted as an SQL identifier.
std::string quote_identifier(Connection &connection, const std::string &name);

} // namespace failback
