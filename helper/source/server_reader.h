// Bulk reads from the server: one connection, remade when it breaks.
#pragma once

#include "helper/source/server_source.h"

namespace failback {

// `schema` (quoted) is where the extension's functions are. A broken connection is made anew, with pauses of 1, 2, 4, 8
// and 16 seconds before the attempts, and reading goes on after the last row that was delivered; then the failure is thrown.
std::unique_ptr<ChunkReader> make_server_reader(const ServerSourceOptions &options, const std::string &schema);

// The pauses: sleeps before attempt `attempt` (from 1); false when there have been enough, or when together they would take
// longer than the time limit (0: none). Throws Error(cancelled).
bool pause_before_reconnect(int attempt, int timeout_seconds);

} // namespace failback
