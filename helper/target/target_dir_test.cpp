#include "helper/target/target_dir.h"

#include "common/error.h"
#include "common/test_directory.h"

#include <optional>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>

namespace failback {
namespace {

namespace fs = std::filesystem;
using Access = TargetDirectory::Access;

std::span<const unsigned char> bytes(std::string_view text)
{
    return {reinterpret_cast<const unsigned char *>(text.data()), text.size()};
}

class TargetDirTest : public testing::Test {
protected:
    TargetDirTest()
    {
        outside.write("secret", "secret");
        files.write("PG_VERSION", "15\n");
        files.write("base/5/1", "one");
        fs::create_directory(outside / "wal");
        fs::create_directory_symlink(outside / "wal", files / "pg_wal");
        fs::create_directory_symlink(outside.path(), files / "base/out");
        fs::create_symlink(outside / "secret", files / "base/5/link");
    }

    TargetDirectory open(Access access = Access::read_write) { return {files.path(), access}; }

    test::TestDirectory files, outside;
};

TEST_F(TargetDirTest, Reads)
{
    TargetDirectory target = open(Access::read_only);
    EXPECT_TRUE(target.exists("base/5/1"));
    EXPECT_TRUE(target.exists("base/5"));
    EXPECT_TRUE(target.exists("base/5/link")) << "a link is there, wherever it leads";
    EXPECT_FALSE(target.exists("base/5/2"));
    EXPECT_FALSE(target.exists("base/6/1"));
    auto content = target.read_file("base/5/1", 3);
    ASSERT_TRUE(content);
    EXPECT_EQ(std::string(content->begin(), content->end()), "one");
    EXPECT_FALSE(target.read_file("base/5/2", 3));
    EXPECT_THROW(target.read_file("base/5/1", 2), Error) << "longer than allowed";
    EXPECT_THROW(target.read_file("base/5", 100), Error) << "a directory";
    EXPECT_THROW(target.open_read("base/5/2"), Error);
    std::vector<std::string> names = target.names_in("base/5");
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{"1", "link"}));
    EXPECT_TRUE(target.names_in("base/6").empty());
}

TEST_F(TargetDirTest, LinksLeadNowhere)
{
    TargetDirectory target = open();
    EXPECT_THROW(target.open_read("base/5/link"), Error);
    EXPECT_THROW(target.read_file("base/5/link", 100), Error);
    EXPECT_THROW(target.open_read("base/out/secret"), Error);
    EXPECT_THROW(target.open_write("base/5/link", O_CREAT), Error);
    EXPECT_THROW(target.open_write("base/out/new", O_CREAT), Error);
    EXPECT_THROW(target.write_file("base/out/new", bytes("x"), false), Error);
    EXPECT_THROW(target.make_directory("base/out/new"), Error);
    EXPECT_THROW(target.make_symlink("base/out/new", "x"), Error);
    EXPECT_THROW(target.rename("base/5/1", "base/out/new"), Error);
    EXPECT_THROW(target.rename("base/out/secret", "base/5/2"), Error);
    EXPECT_FALSE(target.exists("base/out/secret"));
    try {
        target.remove_file("base/out/secret"); // false or an error
    } catch (const Error &) {
    }
    EXPECT_EQ(outside.read("secret"), "secret");
    EXPECT_FALSE(outside.exists("new"));
    // The link itself may go.
    EXPECT_TRUE(target.remove_file("base/5/link"));
    EXPECT_EQ(outside.read("secret"), "secret");
}

TEST_F(TargetDirTest, PgWalMayBeALink)
{
    TargetDirectory target = open();
    target.write_file("pg_wal/00000002.history", bytes("h"), true);
    EXPECT_EQ(outside.read("wal/00000002.history"), "h");
    EXPECT_EQ(target.names_in("pg_wal").size(), 1u);
}

TEST_F(TargetDirTest, UnsafePathsAreRefused)
{
    TargetDirectory target = open();
    for (const char *path : {"", "..", "../x", "/etc/passwd", "base/../../x", "base//5"}) {
        EXPECT_THROW(target.exists(path), Error) << path;
        EXPECT_THROW(target.open_write(path, O_CREAT), Error) << path;
        EXPECT_THROW(target.remove_file(path), Error) << path;
        EXPECT_THROW(target.rename("base/5/1", path), Error) << path;
        EXPECT_THROW(target.make_directory(path), Error) << path;
    }
}

TEST_F(TargetDirTest, WritesAndReplacesWholeFiles)
{
    TargetDirectory target = open();
    target.write_file("backup_label", bytes("first, longer"), true);
    target.write_file("backup_label", bytes("second"), false);
    EXPECT_EQ(files.read("backup_label"), "second");
    EXPECT_FALSE(files.exists(temporary_name("backup_label")));
    // A crash left half of one.
    files.write(temporary_name("backup_label"), "a half-written one that is longer");
    target.write_file("backup_label", bytes("third"), true);
    EXPECT_EQ(files.read("backup_label"), "third");
}

TEST_F(TargetDirTest, DirectoriesAndLinks)
{
    TargetDirectory target = open();
    target.make_directory("base/7");
    target.make_directory("base/7"); // again: fine
    EXPECT_TRUE(fs::is_directory(files / "base/7"));
    EXPECT_THROW(target.make_directory("base/8/9"), Error);
    target.make_symlink("base/7/link", "/space");
    target.make_symlink("base/7/link", "/space");
    EXPECT_THROW(target.make_symlink("base/7/link", "/spac"), Error);
    EXPECT_THROW(target.make_symlink("base/7/link", "/space2"), Error);
    EXPECT_THROW(target.make_symlink("base/5/1", "/space"), Error);
}

TEST_F(TargetDirTest, RemovesWhatItIsToldAndNothingElse)
{
    TargetDirectory target = open();
    EXPECT_TRUE(target.remove_file("base/5/1"));
    EXPECT_FALSE(target.remove_file("base/5/1"));
    EXPECT_FALSE(target.remove_file("base/6/1"));
    EXPECT_FALSE(target.remove_file("base/5")) << "a directory is no file";
    EXPECT_FALSE(target.remove_directory("PG_VERSION")) << "a file is no directory";
    EXPECT_FALSE(target.remove_directory("base/6"));
    EXPECT_FALSE(target.remove_directory("base/5")) << "not empty: the link is in it";
    EXPECT_TRUE(files.exists("base/5/link"));
    EXPECT_TRUE(target.remove_file("base/5/link"));
    EXPECT_TRUE(target.remove_directory("base/5"));
    EXPECT_TRUE(files.exists("PG_VERSION"));
}

TEST_F(TargetDirTest, ADryRunCannotWrite)
{
    auto before = files.tree();
    TargetDirectory target = open(Access::read_only);
    EXPECT_THROW(target.open_write("base/5/1", 0), Error);
    EXPECT_THROW(target.write_file("x", bytes("x"), false), Error);
    EXPECT_THROW(target.make_directory("x"), Error);
    EXPECT_THROW(target.make_symlink("x", "y"), Error);
    EXPECT_THROW(target.remove_file("base/5/1"), Error);
    EXPECT_THROW(target.remove_directory("base/5"), Error);
    EXPECT_THROW(target.rename("base/5/1", "base/5/2"), Error);
    EXPECT_EQ(files.tree(), before);
}

TEST_F(TargetDirTest, OneAtATime)
{
    std::optional<TargetDirectory> first(std::in_place, files.path(), Access::read_write);
    try {
        open(Access::read_only);
        FAIL() << "a second one was let in";
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
        EXPECT_FALSE(error.hint().empty());
    }
    first.reset();
    open(); // the lock went with the object, nothing was left over
    EXPECT_EQ(files.tree().count("pg_failback.lock"), 0u);
}

TEST_F(TargetDirTest, NewFilesFollowTheDataDirectorysMode)
{
    struct stat status;
    for (auto [mode, file_mode, directory_mode] : {std::tuple{0700, 0600, 0700}, {0750, 0640, 0750}}) {
        ASSERT_EQ(::chmod(files.path().c_str(), static_cast<mode_t>(mode)), 0);
        TargetDirectory target = open();
        EXPECT_EQ(target.file_mode(), static_cast<mode_t>(file_mode));
        EXPECT_EQ(target.directory_mode(), static_cast<mode_t>(directory_mode));
        target.write_file("new", bytes("x"), false);
        ASSERT_EQ(::stat((files / "new").c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777 & ~static_cast<mode_t>(file_mode), 0u) << "nobody gets more than that";
        fs::remove(files / "new");
    }
}

TEST_F(TargetDirTest, AMissingDirectoryIsAnError)
{
    EXPECT_THROW(TargetDirectory("/nonexistent/data", Access::read_only), Error);
    EXPECT_THROW(TargetDirectory(files / "PG_VERSION", Access::read_only), Error);
}

TEST_F(TargetDirTest, WholeBuffersAtAnyOffset)
{
    TargetDirectory target = open();
    FileDescriptor fd = target.open_write("new", O_CREAT);
    write_at(fd.get(), bytes("world"), 6, "new");
    write_at(fd.get(), bytes("hello "), 0, "new");
    EXPECT_EQ(files.read("new"), "hello world");
    FileDescriptor in = target.open_read("new");
    std::vector<unsigned char> buffer(100);
    EXPECT_EQ(read_at(in.get(), buffer, 6, "new"), 5u);
    EXPECT_EQ(read_at(in.get(), buffer, 11, "new"), 0u);
    EXPECT_EQ(read_at(in.get(), buffer, 1000, "new"), 0u);
    EXPECT_THROW(read_at(-1, buffer, 0, "new"), Error);
    EXPECT_THROW(write_at(in.get(), bytes("x"), 0, "new"), Error);
}

} // namespace
} // namespace failback
