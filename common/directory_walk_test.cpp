#include "common/directory_walk.h"

#include "common/error.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace failback;
namespace fs = std::filesystem;

namespace {

class DirectoryWalkTest : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/pg_failback_walk_XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        base = name;
        root = base / "data";
        for (const char *directory : {"base/5", "global", "pg_tblspc", "pg_notify", "log", "pg_xact", "base/pgsql_tmp"})
            fs::create_directories(root / directory);
        for (const char *directory : {"wal/archive_status", "space/PG_15_1/5", "space/PG_14_1/5", "elsewhere"})
            fs::create_directories(base / directory);
        fs::create_directory_symlink(base / "wal", root / "pg_wal");
        fs::create_directory_symlink(base / "space", root / "pg_tblspc/16384");
        fs::create_directory_symlink(base / "elsewhere", root / "outside");
        for (const char *file :
             {"data/PG_VERSION", "data/base/5/16385", "data/base/5/16385_init", "data/base/5/16385_fsm",
              "data/base/5/16386", "data/base/5/t3_16387", "data/global/pg_control", "data/pg_notify/0000",
              "data/log/postgresql.log", "data/server.key", "data/postmaster.pid", "data/postgresql.conf",
              "data/base/pgsql_tmp/pgsql_tmp1.0", "data/pg_failback.x", "data/pg_xact/0000",
              "wal/000000010000000000000001", "wal/00000002.history", "wal/archive_status/x.ready",
              "space/PG_15_1/5/16390", "space/PG_14_1/5/16390", "elsewhere/secret"})
            std::ofstream(base / file) << "content";
        ::mkfifo((root / "fifo").c_str(), 0600);
    }

    void TearDown() override { fs::remove_all(base); }

    std::vector<std::string> paths(WalkOptions options)
    {
        DirectoryWalk walk(root, std::move(options));
        std::vector<std::string> found;
        while (auto entry = walk.next()) {
            found.push_back(std::string(1, static_cast<char>(entry->kind)) + " " + entry->path);
            entries.push_back(*entry);
        }
        return found;
    }

    fs::path base, root;
    std::vector<FileEntry> entries;
};

TEST_F(DirectoryWalkTest, Source)
{
    WalkOptions options;
    options.log_directories = {"log"};
    options.tablespace_directory = "PG_15_1";
    const std::vector<std::string> expected = {
        "f PG_VERSION", "d base", "d base/5", "f base/5/16385_init", "f base/5/16386", "d global",
        "f global/pg_control", "d pg_notify", "d pg_tblspc", "l pg_tblspc/16384", "d pg_tblspc/16384/PG_15_1",
        "d pg_tblspc/16384/PG_15_1/5", "f pg_tblspc/16384/PG_15_1/5/16390", "l pg_wal",
        "f pg_wal/000000010000000000000001", "f pg_wal/00000002.history", "d pg_xact", "f pg_xact/0000",
        "f postgresql.conf"};
    EXPECT_EQ(paths(options), expected);
    EXPECT_EQ(entries[0].size, 7);
    EXPECT_FALSE(entries[0].has_checksum);
    EXPECT_EQ(entries[9].link_target, (base / "space").string());
    EXPECT_EQ(entries[9].size, 0);
}

TEST_F(DirectoryWalkTest, SourceWithPrivateKeys)
{
    WalkOptions options;
    options.private_keys = true;
    auto found = paths(options);
    EXPECT_NE(std::find(found.begin(), found.end(), "f server.key"), found.end());
}

TEST_F(DirectoryWalkTest, TargetReportsEverythingButLogs)
{
    WalkOptions options;
    options.only_copied = false;
    options.log_directories = {"log"};
    auto found = paths(options);
    for (const char *path :
         {"f base/5/16385", "f base/5/16385_fsm", "f base/5/t3_16387", "f pg_notify/0000", "f server.key",
          "f postmaster.pid", "f base/pgsql_tmp/pgsql_tmp1.0", "f pg_failback.x", "f pg_wal/archive_status/x.ready",
          "d pg_tblspc/16384/PG_14_1"})
        EXPECT_NE(std::find(found.begin(), found.end(), path), found.end()) << path;
    for (const std::string &path : found) {
        EXPECT_EQ(path.find("log"), std::string::npos) << path;
        EXPECT_EQ(path.find("outside"), std::string::npos) << path;
        EXPECT_EQ(path.find("fifo"), std::string::npos) << path;
    }
}

TEST_F(DirectoryWalkTest, NamesThatNoServerGivesAreLeftOutAndTold)
{
    fs::create_directory(root / "base/5/t\tt");
    for (const char *file : {"a\nb", "t\tt/16385"})
        std::ofstream(root / "base/5" / file) << "x";
    for (bool only_copied : {true, false}) {
        WalkOptions options;
        options.only_copied = only_copied;
        std::vector<std::string> refused;
        options.refused = [&](const std::string &path) { refused.push_back(path); };
        auto found = paths(options);
        EXPECT_EQ(std::count(found.begin(), found.end(), "f base/5/16386"), 1);
        for (const std::string &path : found)
            EXPECT_EQ(path.find_first_of("\n\t"), std::string::npos) << path;
        EXPECT_EQ(refused, (std::vector<std::string>{"base/5/a\nb", "base/5/t\tt"}));
    }
}

TEST_F(DirectoryWalkTest, ModeAndTime)
{
    fs::permissions(root / "PG_VERSION", fs::perms(0640));
    timespec times[2] = {{1700000000, 123456789}, {1700000000, 123456789}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root / "PG_VERSION").c_str(), times, 0), 0);
    paths({});
    EXPECT_EQ(entries[0].mode, 0640u);
    EXPECT_EQ(entries[0].mtime, 1700000000123456);
}

TEST_F(DirectoryWalkTest, VanishingFilesAreLeftOut)
{
    DirectoryWalk walk(root, {});
    std::vector<std::string> found;
    while (auto entry = walk.next()) {
        found.push_back(entry->path);
        if (entry->path == "base/5")
            fs::remove_all(root / "base/5");
        if (entry->path == "pg_notify")
            fs::remove_all(root / "pg_xact");
    }
    for (const std::string &path : found) {
        EXPECT_FALSE(path.starts_with("base/5/")) << path;
        EXPECT_FALSE(path.starts_with("pg_xact")) << path;
    }
}

TEST_F(DirectoryWalkTest, CanBeStopped)
{
    for (int i = 0; i < 1000; ++i)
        std::ofstream(root / ("base/5/" + std::to_string(20000 + i)));
    int calls = 0;
    WalkOptions options;
    options.check_interrupts = [&] {
        if (++calls == 2)
            throw Error(ErrorCode::internal, "stopped");
    };
    EXPECT_THROW(paths(options), Error);
    EXPECT_LT(entries.size(), 1000u);
}

TEST_F(DirectoryWalkTest, MissingRootIsAnError)
{
    try {
        DirectoryWalk walk((base / "none").string(), {});
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::undefined_file);
    }
}

} // namespace
