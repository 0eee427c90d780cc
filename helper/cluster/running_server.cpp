#include "helper/cluster/running_server.h"

#include "common/error.h"
#include "common/file_descriptor.h"
#include "helper/pg_frontend.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <vector>

extern "C" {
#include "storage/pg_shmem.h"
}

namespace failback {

namespace {

constexpr size_t shmem_line = 6; // counted from 0; LOCK_FILE_LINE_SHMEM_KEY - 1 of the server

[[noreturn]] void odd_file(std::string_view name, const char *why)
{
    throw Error(ErrorCode::wrong_state, format("lock file \"%s\" is not in the expected format: %s", std::string(name).c_str(), why),
                {}, "Make sure that no server is using the data directory, then remove the file.");
}

std::vector<std::string_view> split_lines(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        size_t newline = text.find('\n');
        lines.push_back(text.substr(0, newline));
        text.remove_prefix(newline == text.npos ? text.size() : newline + 1);
    }
    return lines;
}

// A number padded with blanks; the rest stays in `text`.
template <typename Number>
bool take_number(std::string_view &text, Number &value)
{
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return error == std::errc();
}

bool only_blanks(std::string_view text)
{
    return text.find_first_not_of(' ') == text.npos;
}

bool same_directory(const std::string &a, const std::string &b, bool &readable)
{
    struct stat of_a, of_b;
    readable = stat(a.c_str(), &of_a) == 0;
    return readable && stat(b.c_str(), &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

// Is the process there, and may it be the postmaster of this directory?
bool is_postmaster(long pid, const std::string &data_directory)
{
    // A number that was used again for us or our parent, as happens after a restart in a container.
    if (pid == getpid() || pid == getppid())
        return false;
    if (kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM)
        return false;
    // A postmaster works in its data directory. What cannot be looked at counts as one.
    bool readable;
    std::string cwd = format("/proc/%ld/cwd", pid);
    if (same_directory(cwd, data_directory, readable))
        return true;
    if (readable)
        return false; // another program has the number now
    // No entry for a process that is there: it has just ended, or is a zombie and runs no more; unless there is no /proc.
    return !(errno == ENOENT && access("/proc/self/cwd", F_OK) == 0);
}

// Is the shared memory segment of this data directory still attached by somebody?
bool shared_memory_in_use(const PostmasterPid &file, const std::string &data_directory)
{
    if (file.shmem_key == 0 && file.shmem_id == 0)
        return false;
    int id = static_cast<int>(file.shmem_id);
    struct shmid_ds state;
    // Gone, or of another user: then not the one this server made, as the server itself judges.
    if (shmctl(id, IPC_STAT, &state) != 0 || state.shm_nattch == 0
        || static_cast<unsigned long>(static_cast<unsigned>(state.shm_perm.__key)) != (file.shmem_key & 0xFFFFFFFFUL))
        return false;
    // Identifiers are used again after a restart of the machine: the segment itself says whose it is.
    void *address = shmat(id, nullptr, SHM_RDONLY);
    if (address == reinterpret_cast<void *>(-1))
        return errno != EACCES && errno != EINVAL && errno != EIDRM;
    const auto *header = static_cast<const PGShmemHeader *>(address);
    struct stat directory;
    bool ours = stat(data_directory.c_str(), &directory) == 0 && state.shm_segsz >= sizeof(PGShmemHeader)
                && header->magic == PGShmemMagic && header->device == directory.st_dev && header->inode == directory.st_ino;
    shmdt(address);
    return ours;
}

} // namespace

PostmasterPid parse_postmaster_pid(std::string_view text, std::string_view name)
{
    if (text.empty())
        odd_file(name, "it is empty");
    std::vector<std::string_view> lines = split_lines(text);
    PostmasterPid file;
    std::string_view first = lines[0];
    if (!take_number(first, file.pid) || !only_blanks(first) || file.pid == 0 || file.pid > INT32_MAX || file.pid < -INT32_MAX)
        odd_file(name, "the first line is not a process ID");
    if (file.pid < 0) {
        file.standalone = true;
        file.pid = -file.pid;
    }
    if (lines.size() > shmem_line && !only_blanks(lines[shmem_line])) {
        std::string_view numbers = lines[shmem_line];
        if (!take_number(numbers, file.shmem_key) || !take_number(numbers, file.shmem_id) || !only_blanks(numbers))
            odd_file(name, "line 7 is not a shared memory key and identifier");
    }
    return file;
}

std::optional<std::string> find_running_server(const std::string &data_directory)
{
    std::string path = data_directory + "/postmaster.pid";
    FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        if (errno == ENOENT)
            return std::nullopt;
        throw io_error("open file", path, errno);
    }
    char buffer[8192];
    std::string text;
    for (;;) {
        ssize_t got = read(fd.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw io_error("read file", path, errno);
        if (got == 0 || text.size() >= sizeof buffer)
            break;
        text.append(buffer, static_cast<size_t>(got));
    }
    PostmasterPid file = parse_postmaster_pid(text, path);
    if (is_postmaster(file.pid, data_directory))
        return format("%s with process ID %ld", file.standalone ? "single-user server" : "server", file.pid);
    if (shared_memory_in_use(file, data_directory))
        return format("processes of a server (its process %ld has ended) that still use its shared memory (ID %lu)", file.pid,
                      file.shmem_id);
    return std::nullopt;
}

} // namespace failback
