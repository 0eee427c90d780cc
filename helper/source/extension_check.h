// Whether the extension that we call is on the source, is the right one, and may be called.
#pragma once

#include "helper/source/connection.h"

#include <string>

namespace failback {

// The version of the extension that this program works with (pg_extension.extversion).
inline constexpr const char *required_extension_version = "1.0";

// The schema of the extension, quoted. Throws Error(wrong_state) if it is not installed in this database or has another version.
std::string find_extension(Connection &connection);

// Throws Error(access_denied), with every function that the role may not execute, unless it may execute all that are needed.
void check_privileges(Connection &connection, const std::string &schema);

} // namespace failback
