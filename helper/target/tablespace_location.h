// The directory that a new tablespace's link leads to: outside of the data directory, as its administrator placed it.
#pragma once

#include <string>

#include <sys/types.h>

namespace failback {

// Why what has this name cannot be the location, as one line; empty if it can, or if nothing has it. It has to be a directory of our
// own, or our own or root's link to one: where others may make names too, theirs could lead to another cluster's.
std::string location_problem(const std::string &location);

// Makes it with this mode; existing: fine, and left as it is, but see location_problem(). With `sync` its name is on disk when this returns, or the
// link could outlive it. Throws Error(io_error, access_denied).
void make_tablespace_location(const std::string &location, mode_t mode, bool sync);

} // namespace failback
