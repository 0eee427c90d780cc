// The directory that a new tablespace's link leads to: outside of the data directory, as its administrator placed it.
#pragma once

#include <string>

#include <sys/types.h>

namespace failback {

// Makes it with this mode; existing: fine, and left as it is, if it is a directory of our own and no link. With `sync` its name is on disk when this returns, or the
// link could outlive it. Throws Error(io_error, access_denied).
void make_tablespace_location(const std::string &location, mode_t mode, bool sync);

} // namespace failback
