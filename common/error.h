// The one exception type of the project, thrown by both sides.
//
// The extension maps `code` to an SQLSTATE and reports it with ereport; the helper prints it as
// PostgreSQL's own programs do (error, detail and hint lines) and exits with 1.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace failback {

enum class ErrorCode {
    invalid_parameter,  // SQLSTATE 22023: an argument or option is not acceptable
    access_denied,      // SQLSTATE 42501: refused, though it may exist
    undefined_file,     // SQLSTATE 58P01: a named file does not exist
    io_error,           // SQLSTATE 58030: the operating system reported an error
    data_corrupted,     // SQLSTATE XX001: bytes are not what their checksum or format says
    limit_exceeded,     // SQLSTATE 54000: more was asked for than is served at once
    not_supported,      // SQLSTATE 0A000
    wrong_state,        // SQLSTATE 55000: the cluster is not in the state this needs
    connection_failure, // SQLSTATE 08006
    protocol_violation, // SQLSTATE 08P01: the other side answered what was not asked; nothing it says is to be relied on
    timed_out,          // SQLSTATE 57014 too: the other side was silent for too long
    cancelled,          // SQLSTATE 57014: a signal asked us to stop
    internal,           // SQLSTATE XX000
};

class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string &message, std::string detail = {}, std::string hint = {})
        : std::runtime_error(message), code_(code), detail_(std::move(detail)), hint_(std::move(hint)) {}

    ErrorCode code() const noexcept { return code_; }
    const std::string &detail() const noexcept { return detail_; } // may be empty
    const std::string &hint() const noexcept { return hint_; }     // may be empty

private:
    ErrorCode code_;
    std::string detail_;
    std::string hint_;
};

// printf into a std::string (g++ 12 has no std::format).
[[gnu::format(printf, 1, 2)]] std::string format(const char *fmt, ...);

// Several problems as lines, for a detail; from the 51st on only their number.
std::string problem_lines(const std::vector<std::string> &problems);

// "could not VERB \"PATH\": strerror", with the given errno value.
Error io_error(const char *verb, const std::string &path, int errnum);

} // namespace failback
