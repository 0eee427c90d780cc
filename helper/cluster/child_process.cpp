#include "helper/cluster/child_process.h"

#include "common/error.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace failback {

namespace {

struct Pipe {
    FileDescriptor read_end, write_end;
    Pipe()
    {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            throw Error(ErrorCode::io_error, format("could not create pipe: error %d", errno));
        read_end = FileDescriptor(ends[0]);
        write_end = FileDescriptor(ends[1]);
    }
};

int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// false at the end of the stream.
bool read_some(int fd, std::string &into)
{
    char buffer[4096];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    into.append(buffer, static_cast<size_t>(got));
    return got > 0;
}

// What is in the pipe by now, without waiting, and not more than it can hold: somebody may go on writing.
void drain(int fd, std::string &into)
{
    const size_t enough = into.size() + static_cast<size_t>(std::max(::fcntl(fd, F_GETPIPE_SZ), 4096));
    pollfd stream = {fd, POLLIN, 0};
    while (into.size() < enough && poll(&stream, 1, 0) > 0 && (stream.revents & POLLIN) != 0)
        if (!read_some(fd, into))
            return;
}

} // namespace

ChildProcess::ChildProcess(const std::vector<std::string> &command)
{
    Pipe output, error;
    std::vector<char *> arguments;
    for (const std::string &argument : command)
        arguments.push_back(const_cast<char *>(argument.c_str()));
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output.write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error.write_end.get(), STDERR_FILENO);
    // A process group of its own, so that all that a shell command has started can be ended.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    // We ignore SIGPIPE, and that would be inherited: "zcat | head" has to end.
    sigset_t to_default;
    sigemptyset(&to_default);
    sigaddset(&to_default, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &to_default);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn(&pid_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        pid_ = 0;
        throw io_error("execute program", command[0], failed);
    }
    output_ = std::move(output.read_end);
    error_ = std::move(error.read_end);
}

ChildProcess::ChildProcess(ChildProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)), error_(std::move(other.error_))
{
}

ChildProcess::~ChildProcess()
{
    output_.reset();
    error_.reset();
    if (pid_ > 0)
        wait_for(pid_);
}

ChildOutput ChildProcess::finish(int time_limit_seconds, const std::function<void()> &check)
{
    constexpr int slice_ms = 200;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(time_limit_seconds);
    ChildOutput result;
    std::string *texts[2] = {&result.standard_output, &result.standard_error};
    try {
        // That the process ends counts, not that its pipes do: it may have left something running that holds them open.
        FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
        if (!process)
            throw Error(ErrorCode::io_error, format("could not watch a program: error %d", errno));
        // All at once: a program that fills one pipe while we wait for the other would never end.
        pollfd watched[3] = {{output_.get(), POLLIN, 0}, {error_.get(), POLLIN, 0}, {process.get(), POLLIN, 0}};
        while (watched[2].revents == 0) {
            if (check)
                check();
            if (time_limit_seconds > 0 && std::chrono::steady_clock::now() >= deadline)
                throw Error(ErrorCode::wrong_state, format("a command did not end within %d seconds", time_limit_seconds));
            if (poll(watched, 3, slice_ms) < 0) {
                if (errno != EINTR)
                    throw Error(ErrorCode::io_error, format("could not wait for a program's output: error %d", errno));
                continue;
            }
            for (int i = 0; i < 2; i++)
                if (watched[i].fd >= 0 && watched[i].revents != 0 && !read_some(watched[i].fd, *texts[i]))
                    watched[i].fd = -1;
        }
        for (int i = 0; i < 2; i++)
            if (watched[i].fd >= 0)
                drain(watched[i].fd, *texts[i]);
    } catch (...) {
        ::kill(-pid_, SIGKILL); // the destructor waits for it
        throw;
    }
    result.exit_status = wait_for(std::exchange(pid_, 0));
    return result;
}

} // namespace failback
