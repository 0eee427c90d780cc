// What the functions of the extension answer, checked: nothing that a server in its right mind would not send is let through.
#pragma once

#include "helper/source/connection.h"
#include "helper/source/source_contract.h"

#include <string>

namespace failback {

// All throw Error(protocol_violation or limit_exceeded) where an answer cannot be; `schema` is the extension's, quoted.

// A row of pg_failback_manifest(): path, kind, size, mode, mtime, link target, checksum.
FileEntry decode_entry(const PGresult *row);

// Asks pg_failback_source_state(), and pg_failback_recovery_end().
SourceState read_source_state(Connection &connection, const std::string &schema);
RecoveryEnd read_recovery_end(Connection &connection, const std::string &schema);

} // namespace failback
