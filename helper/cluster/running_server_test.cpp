#include "helper/cluster/running_server.h"

#include "common/error.h"
#include "helper/pg_frontend.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern "C" {
#include "storage/pg_shmem.h"
}

namespace failback {
namespace {

namespace fs = std::filesystem;

class TemporaryDirectory {
public:
    TemporaryDirectory()
    {
        std::string pattern = (fs::temp_directory_path() / "failback_test.XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error("mkdtemp");
        path_ = pattern;
    }
    ~TemporaryDirectory() { fs::remove_all(path_); }
    const std::string &path() const { return path_; }
    void write(const std::string &name, const std::string &content) const { std::ofstream(path_ + "/" + name) << content; }

private:
    std::string path_;
};

// A process that does nothing, in the given working directory, until it is killed.
class Sleeper {
public:
    explicit Sleeper(const std::string &directory)
    {
        int ready[2];
        if (pipe(ready) != 0)
            throw std::runtime_error("pipe");
        pid_ = fork();
        if (pid_ == 0) {
            bool there = chdir(directory.c_str()) == 0;
            ssize_t written = write(ready[1], there ? "y" : "n", 1);
            while (written == 1)
                pause();
            _exit(1);
        }
        char answer = 'n';
        EXPECT_EQ(read(ready[0], &answer, 1), 1);
        EXPECT_EQ(answer, 'y');
        close(ready[0]);
        close(ready[1]);
    }
    ~Sleeper() { reap(); }
    pid_t pid() const { return pid_; }
    void kill_only() { kill(pid_, SIGKILL); } // stays a zombie
    void reap()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        pid_ = 0;
    }

private:
    pid_t pid_;
};

std::string pid_file(long pid, const std::string &shmem = "")
{
    return format("%ld\n/some/where\n1700000000\n5432\n/tmp\nlocalhost\n%s\nready   \n", pid, shmem.c_str());
}

TEST(PostmasterPid, Parses)
{
    PostmasterPid file = parse_postmaster_pid(pid_file(123, "  5267853        12"), "postmaster.pid");
    EXPECT_EQ(file.pid, 123);
    EXPECT_FALSE(file.standalone);
    EXPECT_EQ(file.shmem_key, 5267853u);
    EXPECT_EQ(file.shmem_id, 12u);
    EXPECT_TRUE(parse_postmaster_pid("-77\n/x\n", "p").standalone);
    EXPECT_EQ(parse_postmaster_pid("-77\n/x\n", "p").pid, 77);
    EXPECT_EQ(parse_postmaster_pid("77", "p").shmem_id, 0u);
}

TEST(PostmasterPid, RefusesAnythingElse)
{
    for (const char *bad : {"", "\n", "0\n", "abc\n", "12abc\n", "12 13\n", "99999999999999999999\n", "4294967296\n", "0x10\n",
                            "1\n2\n3\n4\n5\n6\nseven\n", "1\n2\n3\n4\n5\n6\n 1 2 3\n", "1\n2\n3\n4\n5\n6\n 17\n"})
        try {
            parse_postmaster_pid(bad, "p");
            FAIL() << bad;
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::wrong_state);
            EXPECT_FALSE(error.hint().empty());
        }
}

TEST(RunningServer, NoFileNoServer)
{
    TemporaryDirectory data;
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
    data.write("postmaster.pid", "garbage\n");
    EXPECT_THROW(find_running_server(data.path()), Error);
}

TEST(RunningServer, ProcessInTheDataDirectory)
{
    TemporaryDirectory data;
    Sleeper server(data.path());
    data.write("postmaster.pid", pid_file(server.pid()));
    EXPECT_EQ(find_running_server(data.path()), format("server with process ID %d", server.pid()));
    data.write("postmaster.pid", format("-%d\n", server.pid()));
    EXPECT_EQ(find_running_server(data.path()), format("single-user server with process ID %d", server.pid()));
}

TEST(RunningServer, AnotherProgramHasTheNumberNow)
{
    TemporaryDirectory data;
    Sleeper other("/");
    data.write("postmaster.pid", pid_file(other.pid()));
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
    data.write("postmaster.pid", pid_file(getpid()));
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
}

TEST(RunningServer, DeadAndZombie)
{
    TemporaryDirectory data;
    Sleeper server(data.path());
    data.write("postmaster.pid", pid_file(server.pid()));
    server.kill_only();
    siginfo_t ended;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(server.pid()), &ended, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
    server.reap();
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
}

// A segment as a postmaster makes it, removed at the end.
struct Segment {
    int id;
    void *address;
    explicit Segment(const std::string &data_directory, key_t key)
    {
        id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
        if (id < 0)
            throw std::runtime_error("shmget");
        address = shmat(id, nullptr, 0);
        struct stat directory;
        stat(data_directory.c_str(), &directory);
        auto *header = static_cast<PGShmemHeader *>(address);
        header->magic = PGShmemMagic;
        header->device = directory.st_dev;
        header->inode = directory.st_ino;
    }
    void detach()
    {
        if (address != nullptr)
            shmdt(address);
        address = nullptr;
    }
    ~Segment()
    {
        detach();
        shmctl(id, IPC_RMID, nullptr);
    }
};

TEST(RunningServer, ChildrenHoldTheSharedMemory)
{
    TemporaryDirectory data, another;
    const key_t key = 0x46420000 + (getpid() & 0xFFFF);
    Segment segment(data.path(), key);
    Sleeper gone("/");
    pid_t dead = gone.pid();
    gone.reap();
    auto write_pid_file = [&](long with_key) {
        std::string content = pid_file(dead, format("%9lu %9lu", static_cast<unsigned long>(with_key),
                                                    static_cast<unsigned long>(segment.id)));
        data.write("postmaster.pid", content);
        another.write("postmaster.pid", content);
    };

    write_pid_file(key);
    std::optional<std::string> found = find_running_server(data.path());
    ASSERT_TRUE(found.has_value());
    EXPECT_NE(found->find("shared memory"), std::string::npos);
    EXPECT_EQ(find_running_server(another.path()), std::nullopt); // the segment is of another directory

    write_pid_file(key + 1); // the identifier was used again
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);

    write_pid_file(key);
    segment.detach(); // nobody is left
    EXPECT_EQ(find_running_server(data.path()), std::nullopt);
}

} // namespace
} // namespace failback
