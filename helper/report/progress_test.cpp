#include "helper/report/progress.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

namespace failback {
namespace {

// Collects what is written.
class Sink {
public:
    Sink() : stream_(open_memstream(&text_, &size_)) {}
    ~Sink()
    {
        std::fclose(stream_);
        std::free(text_);
    }
    std::FILE *stream() { return stream_; }
    std::string text()
    {
        std::fflush(stream_);
        return std::string(text_, size_);
    }

private:
    char *text_ = nullptr;
    size_t size_ = 0;
    std::FILE *stream_;
};

constexpr int64_t megabyte = 1024 * 1024;

TEST(ProgressLine, Texts)
{
    EXPECT_EQ(progress_line(Phase::fetch, 100 * megabyte, 400 * megabyte, 2.0),
              "fetch: 100 MB of 400 MB (25%), 50 MB/s, 0:06 left");
    EXPECT_EQ(progress_line(Phase::fetch, 0, 400 * megabyte, 2.0), "fetch: 0 bytes of 400 MB (0%)");
    EXPECT_EQ(progress_line(Phase::scan, 100 * megabyte, 0, 2.0), "scan: 100 MB, 50 MB/s");
    EXPECT_EQ(progress_line(Phase::fetch, 500 * megabyte, 400 * megabyte, 10.0),
              "fetch: 500 MB of 500 MB (100%), 50 MB/s, 0:00 left");
    EXPECT_TRUE(progress_line(Phase::fetch, 100 * megabyte, 1000000 * megabyte, 1.0).ends_with(", 100 MB/s, 2:46:39 left"));
    EXPECT_EQ(finished_line(Phase::fetch, 680 * megabyte, 3.2), "fetch: 680 MB in 3.2 s (212 MB/s)");
    EXPECT_EQ(finished_line(Phase::plan, 0, 0.01), "plan: done in 0.0 s");
}

class ProgressTest : public testing::Test {
protected:
    Sink sink;
    double now = 100;
    Progress::Clock clock = [this] { return now; };
};

TEST_F(ProgressTest, TerminalIsRedrawnOnceASecond)
{
    Progress progress(true, sink.stream(), true, clock);
    progress.start(Phase::fetch, 100 * megabyte);
    now += 0.5;
    progress.add(10 * megabyte);
    EXPECT_EQ(sink.text(), "");
    now += 0.5;
    progress.add(10 * megabyte);
    std::string first = "\rfetch: 20 MB of 100 MB (20%), 20 MB/s, 0:04 left";
    EXPECT_EQ(sink.text(), first);
    now += 0.9;
    progress.add(0);
    EXPECT_EQ(sink.text(), first);
    now += 0.1;
    progress.tick();
    EXPECT_EQ(sink.text().substr(first.size()), "\rfetch: 20 MB of 100 MB (20%), 10 MB/s, 0:08 left");
    progress.finish();
    EXPECT_TRUE(sink.text().ends_with("\rfetch: 20 MB in 2.0 s (10 MB/s)                 \n")) << sink.text();
}

TEST_F(ProgressTest, ElsewhereOneLineForEachPhase)
{
    Progress progress(true, sink.stream(), false, clock);
    progress.start(Phase::inspect);
    now += 5;
    progress.tick();
    progress.start(Phase::fetch, 100 * megabyte);
    now += 2;
    progress.add(100 * megabyte);
    progress.finish();
    progress.finish();
    EXPECT_EQ(sink.text(), "inspect: done in 5.0 s\nfetch: 100 MB in 2.0 s (50 MB/s)\n");
}

TEST_F(ProgressTest, SilentWhenNotAskedForButKeepsTimes)
{
    Progress progress(false, sink.stream(), true, clock);
    progress.start(Phase::apply, 10);
    now += 3;
    progress.add(10);
    progress.start(Phase::apply, 10); // resumed
    now += 1;
    progress.add(5);
    EXPECT_DOUBLE_EQ(progress.seconds(Phase::apply), 4);
    EXPECT_EQ(progress.bytes(Phase::apply), 15);
    progress.finish();
    EXPECT_EQ(sink.text(), "");
    EXPECT_DOUBLE_EQ(progress.seconds(Phase::apply), 4);
    EXPECT_EQ(progress.bytes(Phase::apply), 15);
    EXPECT_EQ(progress.seconds(Phase::fetch), 0);
    EXPECT_DOUBLE_EQ(progress.total_seconds(), 4);
}

TEST_F(ProgressTest, LogMessagesGetALineOfTheirOwn)
{
    Progress progress(true, sink.stream(), true, clock);
    progress.break_line();
    EXPECT_EQ(sink.text(), "");
    progress.start(Phase::scan);
    now += 1;
    progress.tick();
    progress.break_line();
    progress.break_line();
    EXPECT_EQ(sink.text(), "\rscan: 0 bytes\n");
}

TEST(Progress, CountsFromManyThreads)
{
    Sink sink;
    Progress progress(true, sink.stream(), true);
    progress.start(Phase::fetch, 4000);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; i++)
                progress.add(1);
        });
    for (std::thread &thread : threads)
        thread.join();
    progress.finish();
    EXPECT_EQ(progress.bytes(Phase::fetch), 4000);
}

} // namespace
} // namespace failback
