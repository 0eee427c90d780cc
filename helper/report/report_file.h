// Where --report goes: a file, a pipe, or standard output ("-").
#pragma once

#include <string>

namespace failback {

// Before any work: throws Error(io_error) if the report could not be written to `path`; empty: none is asked for.
void check_report(const std::string &path);

// Writes `text`, replacing a file at once. Throws Error(io_error).
void write_report(const std::string &path, const std::string &text);

// Of a run that has failed (if `path` is not empty): why it did matters more than that this cannot be told, which is a warning.
void write_failure_report(const std::string &path, const std::string &text) noexcept;

} // namespace failback
