#include "helper/source/connect.h"

#include "common/secrets.h"
#include "helper/cancel.h"
#include "helper/source/connection.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <netdb.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace failback {

namespace {

// What may come between two results, bytes: twice the largest that is agreed (a timeline history of 16 MB). libpq
// itself would gather up to 1 GB in one message, and more in what is no row (notices, settings).
constexpr int64_t max_bytes_between_results = 32 * 1024 * 1024;

using ConninfoOptions = std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption *)>;
using Settings = std::vector<std::pair<std::string, std::string>>; // keyword, value

// libpq shows the part of the string that it cannot read, which may be the password.
void check_conninfo(const std::string &conninfo)
{
    bool is_conninfo = conninfo.find('=') != std::string::npos || conninfo.find("://") != std::string::npos;
    char *problem = nullptr;
    PQconninfoOption *options = is_conninfo ? PQconninfoParse(conninfo.c_str(), &problem) : nullptr;
    if (is_conninfo && options == nullptr) {
        std::string message = printable(problem);
        PQfreemem(problem);
        bool secret = may_hold_secret(conninfo) || conninfo.find('@') != std::string::npos;
        throw Error(ErrorCode::invalid_parameter, "the connection string given as --source-server is not valid",
                    secret ? "What is wrong with it is not shown, as it may hold a password." : message,
                    "Values with spaces, quotes or backslashes are written in single quotes, in URIs percent-encoded.");
    }
    PQconninfoFree(options);
}

// Our defaults come first and the user's string, expanded from dbname, overrides them.
Settings settings_of(const ConnectionOptions &options)
{
    Settings settings = {{"keepalives", "1"}, {"keepalives_idle", "10"}, {"keepalives_interval", "5"}, {"keepalives_count", "3"},
                         {"fallback_application_name", "pg_failback"}};
    // Without a deadline of ours the kernel's and libpq's defaults stand.
    if (options.timeout_seconds > 0) {
        settings.emplace_back("tcp_user_timeout", std::to_string(options.timeout_seconds * 1000LL));
        settings.emplace_back("connect_timeout", std::to_string(options.timeout_seconds));
    }
    settings.emplace_back("dbname", options.conninfo);
    // Only the first dbname is taken apart as a connection string; this one is a name, whatever it looks like.
    if (!options.database.empty())
        settings.emplace_back("dbname", options.database);
    return settings;
}

std::vector<std::string> split(const std::string &list)
{
    std::vector<std::string> parts(1);
    for (char c : list) {
        if (c == ',')
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

// One of the servers that a connection string names. What is empty is left to libpq.
struct Endpoint {
    std::string host;
    std::string address;
    std::string port;
};

std::vector<Endpoint> endpoints_of(const std::string &host, const std::string &address, const std::string &port)
{
    std::vector<std::string> hosts = split(host), addresses = split(address), ports = split(port);
    std::vector<Endpoint> endpoints(std::max(hosts.size(), addresses.size()));
    for (size_t i = 0; i < endpoints.size(); i++)
        endpoints[i] = {i < hosts.size() ? hosts[i] : "", i < addresses.size() ? addresses[i] : "",
                        ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : ""};
    return endpoints;
}

// The addresses of the name but this one.
std::vector<std::string> other_addresses(const std::string &host, const std::string &tried)
{
    struct addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    struct addrinfo *found = nullptr;
    std::vector<std::string> addresses;
    if (host.empty() || host[0] == '/' || host[0] == '@' || ::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0)
        return addresses;
    for (const struct addrinfo *one = found; one != nullptr; one = one->ai_next) {
        char text[NI_MAXHOST];
        if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) == 0 && tried != text)
            addresses.emplace_back(text);
    }
    ::freeaddrinfo(found);
    return addresses;
}

class Connector {
public:
    explicit Connector(const ConnectionOptions &options) : settings_(settings_of(options)) {}

    Connected run()
    {
        Connected result;
        for (;;) {
            result.connection = start();
            if (becomes_ready(result.connection.get()))
                return result;
            pass_over(result.connection.get());
            if (endpoints_.empty())
                throw_stalled("");
            if (!result.as_given)
                result.as_given = std::move(result.connection);
        }
    }

private:
    PgConnection start()
    {
        std::vector<const char *> keywords, values;
        for (const auto &[keyword, value] : settings_) {
            keywords.push_back(keyword.c_str());
            values.push_back(value.c_str());
        }
        keywords.push_back(nullptr);
        values.push_back(nullptr);
        // What pass_over() has put together holds no connection string to be taken apart.
        PgConnection connection(PQconnectStartParams(keywords.data(), values.data(), endpoints_.empty() ? 1 : 0));
        if (!connection)
            throw std::bad_alloc();
        // Also what comes before one is logged in would be printed as it is.
        PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);
        return connection;
    }

    // False: this server stalls.
    bool becomes_ready(PGconn *connection)
    {
        const int limit = limit_of(connection);
        ArrivedBytes arrived;
        std::string where;
        std::chrono::steady_clock::time_point since;
        for (PostgresPollingStatusType status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK; status = PQconnectPoll(connection)) {
            if (status == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD)
                throw_failed(connection);
            do {
                // Each server and each of its addresses has its own time.
                if (std::string now = text(PQhost(connection)) + " " + text(PQhostaddr(connection)) + " " + text(PQport(connection));
                    now != where) {
                    where = now;
                    since = std::chrono::steady_clock::now();
                }
                if (limit > 0 && std::chrono::steady_clock::now() - since >= std::chrono::seconds(limit)) {
                    limit_ = limit;
                    return false;
                }
            } while (!wait_slice(PQsocket(connection), status == PGRES_POLLING_READING ? POLLIN : POLLOUT));
            arrived.add(PQsocket(connection));
        }
        return true;
    }

    static std::string text(const char *value) { return value != nullptr ? value : ""; }

    // Seconds; 0: none.
    static int limit_of(PGconn *connection)
    {
        for (const auto &[keyword, value] : all_of(connection)) {
            if (keyword != "connect_timeout")
                continue;
            char *end = nullptr;
            long seconds = std::strtol(value.c_str(), &end, 10);
            if (*end != '\0' || seconds > INT32_MAX)
                throw Error(ErrorCode::invalid_parameter, format("invalid connect_timeout \"%s\" in the connection string", printable(value.c_str()).c_str()));
            return static_cast<int>(std::max(0L, seconds));
        }
        return 0;
    }

    static Settings all_of(PGconn *connection)
    {
        ConninfoOptions options(PQconninfo(connection), PQconninfoFree);
        if (!options)
            throw std::bad_alloc();
        Settings settings;
        for (const PQconninfoOption *option = options.get(); option->keyword != nullptr; option++)
            if (option->val != nullptr && option->val[0] != '\0')
                settings.emplace_back(option->keyword, option->val);
        return settings;
    }

    // From now on libpq is given what the connection string came to, without this server.
    void pass_over(PGconn *connection)
    {
        std::string host, address, port;
        Settings rest;
        for (auto &[keyword, value] : all_of(connection)) {
            if (keyword == "host")
                host = value;
            else if (keyword == "hostaddr")
                address = value;
            else if (keyword == "port")
                port = value;
            else if (keyword != "service") // it would add what is left out
                rest.emplace_back(keyword, value);
        }
        stalled_host_ = text(PQhost(connection));
        stalled_port_ = text(PQport(connection));
        std::string stalled_address = text(PQhostaddr(connection));
        endpoints_ = endpoints_of(host, address, port);
        auto is_it = [&](const Endpoint &endpoint) {
            bool same_host = endpoint.host == stalled_host_ || (endpoint.host.empty() && (endpoint.address.empty() || endpoint.address == stalled_host_));
            return same_host && (endpoint.port.empty() || endpoint.port == stalled_port_) &&
                   (endpoint.address.empty() || endpoint.address == stalled_address);
        };
        auto it = std::find_if(endpoints_.begin(), endpoints_.end(), is_it);
        if (it == endpoints_.end())
            throw_stalled(""); // should libpq have named it in another way
        Endpoint stalled = *it;
        it = endpoints_.erase(it);
        if (stalled.address.empty())
            for (const std::string &other : other_addresses(stalled.host, stalled_address))
                it = endpoints_.insert(it, {stalled.host, other, stalled.port}) + 1;

        settings_ = std::move(rest);
        std::string hosts, addresses, ports;
        for (const Endpoint &endpoint : endpoints_) {
            const char *comma = &endpoint == &endpoints_.front() ? "" : ",";
            hosts += comma + endpoint.host;
            addresses += comma + endpoint.address;
            ports += comma + endpoint.port;
        }
        if (addresses.find_first_not_of(',') == std::string::npos)
            addresses.clear(); // a list of nothing is none
        settings_.insert(settings_.end(), {{"host", hosts}, {"hostaddr", addresses}, {"port", ports}});
    }

    [[noreturn]] void throw_failed(PGconn *connection) const
    {
        std::string message = printable(PQerrorMessage(connection));
        // Of several, one has stalled: to try again would only make the wait longer.
        if (limit_ > 0)
            throw_stalled(message);
        // The server's words, if they are in English; else the other hint does no harm.
        bool too_many = message.find("too many") != message.npos || message.find("remaining connection slots") != message.npos;
        throw Error(ErrorCode::connection_failure, message, "",
                    too_many ? "Each of --jobs takes a connection, and one more is needed: raise the limit, or give fewer --jobs."
                             : "The source must be running and reachable with the connection string given as --source-server.");
    }

    [[noreturn]] void throw_stalled(const std::string &others) const
    {
        throw Error(ErrorCode::timed_out,
                    format("could not connect to server \"%s\" port %s within %d seconds", stalled_host_.c_str(), stalled_port_.c_str(), limit_),
                    others, "The time limit can be changed with --timeout, or with connect_timeout in the connection string.");
    }

    Settings settings_;
    std::vector<Endpoint> endpoints_; // those that are left, once one was passed over
    std::string stalled_host_;        // the last that was
    std::string stalled_port_;
    int limit_ = 0; // seconds, that it had
};

} // namespace

bool wait_slice(int socket, short events)
{
    check_cancelled();
    struct pollfd poll_entry = {socket, events, 0};
    int ready = ::poll(&poll_entry, 1, wait_slice_ms);
    if (ready < 0 && errno != EINTR)
        throw io_error("wait on", "connection to the source", errno);
    if (ready < 0)
        check_cancelled();
    return ready > 0;
}

void ArrivedBytes::add(int socket)
{
    int arrived = 0;
    if (::ioctl(socket, FIONREAD, &arrived) == 0)
        bytes_ += arrived;
    if (bytes_ > max_bytes_between_results)
        throw Error(ErrorCode::limit_exceeded, "the source sent more at once than agreed",
                    format("More than %lld bytes came without a complete result.", static_cast<long long>(max_bytes_between_results)),
                    "Do not trust this source.");
}

Connected connect(const ConnectionOptions &options)
{
    check_conninfo(options.conninfo);
    return Connector(options).run();
}

} // namespace failback
