// The version of the interface between the helper and the extension.
#pragma once

namespace failback {

// Both sides must have the same. Also in extension/pg_failback.control.
inline constexpr const char *library_version = "1.0";

} // namespace failback
