// Whether the slot that a standby is to stream from can be had, found out without changing anything.
#pragma once

#include "helper/source/connection.h"

#include <string>

namespace failback {

// Why the physical slot `name` cannot be used (or, with `create`, made if it does not exist), as one line; empty: it can,
// as far as can be known. Throws Error as Connection::query() does.
std::string find_slot_problem(Connection &connection, const std::string &name, bool create);

} // namespace failback
