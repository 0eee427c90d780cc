// A program started without a shell, with what it prints collected.
#pragma once

#include "common/file_descriptor.h"

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace failback {

struct ChildOutput {
    int exit_status = 0; // exit code, or 128 + signal
    std::string standard_output;
    std::string standard_error;
};

class ChildProcess {
public:
    // Starts command[0] (a path) with the arguments that follow, no input. Throws Error(io_error).
    explicit ChildProcess(const std::vector<std::string> &command);
    ChildProcess(ChildProcess &&other) noexcept;
    ChildProcess &operator=(ChildProcess &&) = delete;
    ~ChildProcess(); // waits for a process that nobody finished; it gets SIGPIPE when it prints

    // Reads all it prints until it ends; what it has started and left running goes on, unread. Once. `check` is called about five times a second and may throw; after
    // time_limit_seconds (0: never) Error(wrong_state) is thrown. In both cases the program and what it started are killed.
    ChildOutput finish(int time_limit_seconds = 0, const std::function<void()> &check = {});

private:
    pid_t pid_ = 0;
    FileDescriptor output_, error_;
};

} // namespace failback
