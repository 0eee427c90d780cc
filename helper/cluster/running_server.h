// Is a server using this data directory?
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace failback {

// What postmaster.pid says. Absent lines are 0: a server that is just starting has not written them yet.
struct PostmasterPid {
    long pid = 0;        // of the postmaster, or of a standalone backend (then written negative)
    bool standalone = false;
    unsigned long shmem_key = 0; // System V shared memory, line 7
    unsigned long shmem_id = 0;
};

// Throws Error(wrong_state), with a hint, for anything that is not a postmaster.pid.
PostmasterPid parse_postmaster_pid(std::string_view text, std::string_view name);

// Describes the server that uses `data_directory` ("server with process ID 123"), nullopt if there is none. Children
// that outlived their postmaster count: they hold the shared memory. Throws Error on an unreadable or odd postmaster.pid.
std::optional<std::string> find_running_server(const std::string &data_directory);

} // namespace failback
