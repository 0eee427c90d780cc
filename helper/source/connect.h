// Makes libpq connections, in slices: a signal is noticed, time and what arrives are limited.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>

namespace failback {

struct ConnectionOptions {
    std::string conninfo;     // as given with --source-server
    std::string database;     // instead of the one that conninfo names, if not empty
    int timeout_seconds = 60; // without a single byte from the source, or for one server to get a connection ready; 0: none
    // If not empty, a connection to any other of the servers that the connection string names is refused.
    std::string required_host;
    std::string required_port;
    // If not empty, a connection is refused too if this query's one value, in binary format, is another: behind a name there
    // may be several servers.
    std::string identity_sql;
    std::string required_identity;
};

struct ConnectionCloser {
    void operator()(PGconn *connection) const { PQfinish(connection); }
};
using PgConnection = std::unique_ptr<PGconn, ConnectionCloser>;

struct Connected {
    PgConnection connection; // ready for queries
    // Where a server of several was passed over because it stalled: one with all the options as they were given, for
    // PQconninfo() alone. Else null.
    PgConnection as_given;
};

// A server that stalls for longer than connect_timeout of the connection string, or else timeout_seconds, is passed over
// as libpq's own waiting does, address by address; where none is left this throws Error(timed_out). Further
// Error(invalid_parameter), Error(connection_failure) with libpq's message, Error(limit_exceeded), Error(cancelled).
// Only names are still looked up without an eye on any of it.
Connected connect(const ConnectionOptions &options);

// Waits for poll()'s `events` for at most wait_slice_ms; false if they have not come. Throws Error(cancelled).
inline constexpr int wait_slice_ms = 200;
bool wait_slice(int socket, short events);

// Counts what comes without a complete result, roughly: as the kernel tells before each reading.
class ArrivedBytes {
public:
    void add(int socket); // throws Error(limit_exceeded)
    void clear() { bytes_ = 0; }

private:
    int64_t bytes_ = 0;
};

} // namespace failback
