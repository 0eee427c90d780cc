#include "helper/wal/archive_provider.h"

#include "common/test_directory.h"
#include "helper/pg_frontend.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace failback {
namespace {

constexpr uint32_t segment_size = 1024 * 1024;

class ArchiveProviderTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { pg_logging_init("archive_provider_test"); }

    ArchiveProvider provider(const std::string &command, int time_limit = 1, uint64_t written_segments = 0)
    {
        ArchiveOptions options;
        options.command = command;
        options.directory = directory_.path();
        options.segment_size = segment_size;
        options.time_limit_seconds = time_limit;
        options.written_to = Lsn{written_segments * segment_size};
        return ArchiveProvider(options);
    }

    std::string write_segment(const std::string &name, size_t size, uint16_t magic = XLOG_PAGE_MAGIC, uint64_t segno = 3)
    {
        XLogPageHeaderData header{};
        header.xlp_magic = magic;
        header.xlp_pageaddr = segno * segment_size;
        std::string content(size, '\0');
        std::memcpy(content.data(), &header, std::min(size, sizeof header));
        std::string path = directory_.path() + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    test::TestDirectory directory_;
};

TEST(ExpandRestoreCommand, Placeholders)
{
    EXPECT_EQ(expand_restore_command("cp /a/%f %p", "NAME", "/t/x"), "cp /a/NAME /t/x");
    EXPECT_EQ(expand_restore_command("100%% %r %q %", "NAME", "/t/x"), "100% NAME %q %");
}

TEST_F(ArchiveProviderTest, RestoresByRename)
{
    std::string kept = write_segment("archived", segment_size);
    ArchiveProvider archive = provider("cp " + kept + " %p");
    auto segment = archive.open(TimelineId{1}, 3);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->size(), segment_size);
    EXPECT_EQ(archive.restored().size(), 1u);
}

TEST_F(ArchiveProviderTest, WhatNeedNotBeKeptIsNot)
{
    std::string kept = write_segment("archived", segment_size);
    ArchiveProvider archive = provider("cp " + kept + " %p");
    std::string path = directory_.path() + "/" + wal_segment_name(TimelineId{1}, 3, segment_size);
    archive.need_not_keep(Lsn{3 * segment_size + 1});
    EXPECT_TRUE(archive.open(TimelineId{1}, 3));
    EXPECT_TRUE(std::filesystem::exists(path)) << "recovery needs its beginning";
    archive.need_not_keep(Lsn{3 * segment_size});
    for (int time = 0; time < 2; time++) {
        auto segment = archive.open(TimelineId{1}, 3);
        ASSERT_TRUE(segment);
        EXPECT_FALSE(std::filesystem::exists(path));
        EXPECT_TRUE(archive.restored().empty());
        EXPECT_EQ(segment->bytes(segment_size - 10, 10).size(), 10u) << "who has opened it can read it";
    }
}

TEST_F(ArchiveProviderTest, FailureMeansThereIsNone)
{
    ArchiveProvider archive = provider("exit 1");
    EXPECT_FALSE(archive.open(TimelineId{1}, 3));
    EXPECT_TRUE(archive.restored().empty());
}

TEST_F(ArchiveProviderTest, AnArchiveThatFailsForAMomentIsAskedAgain)
{
    std::string kept = write_segment("archived", segment_size);
    std::string calls = directory_.path() + "/calls";
    std::string command = "echo >> " + calls + "; test $(wc -l < " + calls + ") -ge 4 && cp " + kept + " %p";
    ArchiveProvider archive = provider(command, 30, 4);
    EXPECT_TRUE(archive.open(TimelineId{1}, 3)) << "a segment that was written";
    std::filesystem::remove(calls);
    ArchiveProvider at_end = provider(command, 30, 3);
    EXPECT_FALSE(at_end.open(TimelineId{1}, 3)) << "beyond the last checkpoint it may well not exist";
    EXPECT_EQ(std::filesystem::file_size(calls), 2u);
}

TEST_F(ArchiveProviderTest, AnArchiveWithoutItsSegmentsIsNotAskedForLong)
{
    std::string calls = directory_.path() + "/calls";
    ArchiveProvider archive = provider("echo >> " + calls + "; exit 1", 30, 100);
    for (uint64_t segment = 10; segment < 20; segment++)
        EXPECT_FALSE(archive.open(TimelineId{1}, segment));
    EXPECT_EQ(std::filesystem::file_size(calls), 2u * 4 + 8 * 2);
}

TEST_F(ArchiveProviderTest, HalfCopiedSegmentIsAskedForAgain)
{
    std::string kept = write_segment("archived", segment_size);
    std::string mark = directory_.path() + "/asked";
    ArchiveProvider archive = provider("if [ -f " + mark + " ]; then cp " + kept + " %p; else touch " + mark +
                                           "; head -c 1000 " + kept + " > %p; fi",
                                       30);
    EXPECT_TRUE(archive.open(TimelineId{1}, 3));
}

TEST_F(ArchiveProviderTest, HalfCopiedForEverIsAnErrorThatNamesIt)
{
    std::string kept = write_segment("archived", 1000);
    ArchiveProvider archive = provider("cp " + kept + " %p");
    try {
        archive.open(TimelineId{1}, 3);
        FAIL() << "a short segment was taken";
    } catch (const Error &error) {
        EXPECT_NE(std::string(error.what()).find(wal_segment_name(TimelineId{1}, 3, segment_size)), std::string::npos);
    }
}

TEST_F(ArchiveProviderTest, OtherContentIsRefused)
{
    std::string kept = write_segment("archived", segment_size, 0x1234);
    ArchiveProvider archive = provider("cp " + kept + " %p");
    EXPECT_THROW(archive.open(TimelineId{1}, 3), Error);
}

TEST_F(ArchiveProviderTest, AnotherSegmentUnderItsNameIsRefused)
{
    std::string kept = write_segment("archived", segment_size, XLOG_PAGE_MAGIC, 4);
    ArchiveProvider archive = provider("cp " + kept + " %p");
    EXPECT_THROW(archive.open(TimelineId{1}, 3), Error);
}

TEST_F(ArchiveProviderTest, HangingCommandIsEnded)
{
    ArchiveProvider archive = provider("sleep 600");
    try {
        archive.open(TimelineId{1}, 3);
        FAIL() << "it ended";
    } catch (const Error &error) {
        EXPECT_EQ(error.what(), "restore_command for \"" + wal_segment_name(TimelineId{1}, 3, segment_size) +
                                    "\" did not end within 1 seconds");
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
        EXPECT_FALSE(error.hint().empty());
    }
}

TEST_F(ArchiveProviderTest, NoLimitMeansNone)
{
    std::string kept = write_segment("archived", segment_size);
    ArchiveProvider archive = provider("sleep 1.2; cp " + kept + " %p", 0);
    EXPECT_TRUE(archive.open(TimelineId{1}, 3));
    std::string calls = directory_.path() + "/calls";
    ArchiveProvider without = provider("echo >> " + calls + "; exit 1", 0);
    EXPECT_FALSE(without.open(TimelineId{1}, 3));
    EXPECT_EQ(std::filesystem::file_size(calls), 2u) << "it was not asked a second time";
    std::string half = directory_.path() + "/half";
    ArchiveProvider slow = provider("if [ -f " + half + " ]; then cp " + kept + " %p; else touch " + half + " %p; fi", 0);
    EXPECT_TRUE(slow.open(TimelineId{1}, 3)) << "one that comes incomplete is waited for";
}

TEST_F(ArchiveProviderTest, WhatItLeavesRunningIsNotWaitedFor)
{
    std::string kept = write_segment("archived", segment_size);
    std::string pid = directory_.path() + "/pid";
    ArchiveProvider archive = provider("cp " + kept + " %p; sleep 600 & echo $! > " + pid, 5);
    EXPECT_TRUE(archive.open(TimelineId{1}, 3));
    pid_t left = 0;
    std::ifstream(pid) >> left;
    ASSERT_GT(left, 0);
    EXPECT_EQ(::kill(left, SIGKILL), 0) << "it was killed";
}

TEST_F(ArchiveProviderTest, HistoryFilesAreAskedForOnce)
{
    ArchiveProvider archive = provider("echo x >> " + directory_.path() + "/calls; exit 1");
    EXPECT_FALSE(archive.restore_file("00000002.history", directory_.path() + "/out"));
    EXPECT_EQ(std::filesystem::file_size(directory_.path() + "/calls"), 2u);
}

TEST_F(ArchiveProviderTest, CommandNotFoundIsAnError)
{
    ArchiveProvider archive = provider("/no/such/command %f %p");
    EXPECT_THROW(archive.open(TimelineId{1}, 3), Error);
}

} // namespace
} // namespace failback
