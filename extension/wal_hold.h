// What WAL this session keeps from being removed.
#pragma once

#include "extension/boundary.h"

namespace failback {

// The location that pg_failback_hold_wal() has named last; 0 if nothing is held (any more). May throw.
XLogRecPtr held_wal();

} // namespace failback
