#include "helper/cluster/child_process.h"

#include "common/error.h"
#include "common/test_directory.h"
#include "helper/cancel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace failback {
namespace {

ChildOutput shell(const std::string &command, int time_limit_seconds = 60)
{
    return ChildProcess({"/bin/sh", "-c", command}).finish(time_limit_seconds);
}

TEST(ChildProcess, WhatItLeavesRunningIsNeitherWaitedForNorKilled)
{
    test::TestDirectory directory;
    auto begin = std::chrono::steady_clock::now();
    ChildOutput output = shell("sleep 600 & echo $! >" + directory / "pid" + "; echo printed; echo said >&2; exit 7");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
    EXPECT_EQ(output.exit_status, 7);
    EXPECT_EQ(output.standard_output, "printed\n");
    EXPECT_EQ(output.standard_error, "said\n");
    pid_t left = std::stoi(directory.read("pid"));
    EXPECT_EQ(::kill(left, 0), 0) << "it was killed";
    ::kill(left, SIGKILL);
}

TEST(ChildProcess, WhatItLeavesPrintingIsReadForAMomentOnly)
{
    test::TestDirectory directory;
    ChildOutput output = shell("yes & echo $! >" + directory / "pid" + "; exit 3");
    EXPECT_EQ(output.exit_status, 3);
    ::kill(std::stoi(directory.read("pid")), SIGKILL);
}

TEST(ChildProcess, ClosedStreamsAreNotTheEnd)
{
    EXPECT_EQ(shell("exec >&- 2>&-; sleep 0.3; exit 5").exit_status, 5);
    EXPECT_THROW(shell("exec >&- 2>&-; sleep 600", 1), Error);
}

TEST(ChildProcess, ABrokenPipeEndsIt)
{
    install_cancel_handlers(); // ignores SIGPIPE
    EXPECT_EQ(shell("kill -PIPE $$; exit 4").exit_status, 128 + SIGPIPE);
}

TEST(Cancel, WhatIsIgnoredStaysIgnored)
{
    struct sigaction before, after;
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
    install_cancel_handlers();
    ::sigaction(SIGHUP, nullptr, &before);
    ::sigaction(SIGTERM, nullptr, &after);
    ::signal(SIGHUP, SIG_DFL);
    EXPECT_EQ(before.sa_handler, SIG_IGN);
    EXPECT_NE(after.sa_handler, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
}

TEST(Cancel, APauseEndsWithASignal)
{
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    pid_t child = ::fork();
    if (child == 0) {
        install_cancel_handlers();
        bool told = ::write(ready[1], "x", 1) == 1;
        try {
            pause_for(std::chrono::seconds(600));
        } catch (const Error &error) {
            ::_exit(told && error.code() == ErrorCode::cancelled ? 0 : 1);
        }
        ::_exit(2);
    }
    char byte;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    auto begin = std::chrono::steady_clock::now();
    ::kill(child, SIGTERM);
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
    EXPECT_EQ(status, 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

} // namespace
} // namespace failback
