#include "common/beneath.h"

#include "common/error.h"
#include "common/path_text.h"
#include "common/test_directory.h"

#include <cerrno>
#include <optional>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace failback {
namespace {

namespace fs = std::filesystem;

class BeneathTest : public testing::Test {
protected:
    BeneathTest()
    {
        outside.write("secret", "secret");
        for (const char *name : {"data/PG_VERSION", "data/base/5/16384", "wal/000000010000000000000001", "space/PG_15_1/5/1"})
            base.write(name, name);
        fs::create_directory(base / "data/pg_tblspc");
        fs::create_directory_symlink(base / "wal", base / "data/pg_wal");
        fs::create_directory_symlink(base / "space", base / "data/pg_tblspc/16385");
        fs::create_directory_symlink(outside.path(), base / "data/elsewhere");
        fs::create_symlink(outside / "secret", base / "data/base/5/link");
        fs::create_symlink(outside / "secret", base / "wal/link");
        fs::create_directory_symlink(outside.path(), base / "space/PG_15_2");
        fs::create_directory_symlink(outside.path(), base / "data/pg_tblspc/evil");
        fs::create_symlink("16384", base / "data/base/5/inner");
        directory.emplace(base / "data");
    }

    // "" if it was opened, else the name of errno.
    std::string open(const std::string &path)
    {
        FileDescriptor fd = directory->open(path, O_RDONLY);
        return fd ? "" : ::strerrorname_np(errno);
    }

    test::TestDirectory base, outside;
    std::optional<BeneathDirectory> directory;
};

TEST_F(BeneathTest, OpensWhatLiesBelow)
{
    EXPECT_EQ(open("PG_VERSION"), "");
    EXPECT_EQ(open("base/5/16384"), "");
    EXPECT_EQ(open("base"), "");
    EXPECT_EQ(open("base/5/16399"), "ENOENT");
    EXPECT_EQ(open("base/6/16384"), "ENOENT");
}

TEST_F(BeneathTest, FollowsPostgresqlsOwnLinks)
{
    EXPECT_EQ(open("pg_wal/000000010000000000000001"), "");
    EXPECT_EQ(open("pg_tblspc/16385/PG_15_1/5/1"), "");
}

TEST_F(BeneathTest, FollowsNoOtherLink)
{
    // Not even one that stays inside.
    for (const char *path : {"elsewhere/secret", "base/5/link", "pg_wal/link", "pg_tblspc/16385/PG_15_2/secret",
                             "pg_tblspc/evil/secret", "base/5/inner"})
        EXPECT_TRUE(open(path) == "ELOOP" || open(path) == "EXDEV" || open(path) == "ENOTDIR") << path << ": " << open(path);
}

TEST_F(BeneathTest, TheLinksThemselvesAreNotOpened)
{
    EXPECT_EQ(open("pg_wal"), "ELOOP");
    EXPECT_EQ(open("pg_tblspc/16385"), "ELOOP");
}

TEST_F(BeneathTest, UnsafePathsAreRefused)
{
    for (const char *path : {"", "/etc/passwd", "..", "../outside", "base/../PG_VERSION", "base//5", "./base", "base/5/", "a\nb"}) {
        EXPECT_THROW(directory->open(path, O_RDONLY), Error) << path;
        EXPECT_THROW(directory->open_parent(path), Error) << path;
    }
}

TEST_F(BeneathTest, ParentOfAFileThatNeedNotExist)
{
    struct stat of_parent, expected;
    for (auto [path, parent] : {std::pair{"new", "data"}, {"base/5/new", "data/base/5"}, {"pg_wal/new", "wal"},
                                {"pg_tblspc/16385/new", "space"}, {"pg_tblspc/16386", "data/pg_tblspc"}}) {
        FileDescriptor fd = directory->open_parent(path);
        ASSERT_TRUE(fd) << path;
        ASSERT_EQ(::fstat(fd.get(), &of_parent), 0);
        ASSERT_EQ(::stat((base / parent).c_str(), &expected), 0);
        EXPECT_EQ(of_parent.st_ino, expected.st_ino) << path;
    }
    EXPECT_FALSE(directory->open_parent("base/6/new"));
    EXPECT_FALSE(directory->open_parent("elsewhere/new"));
}

TEST_F(BeneathTest, CreatesWithTheModeGiven)
{
    FileDescriptor fd = directory->open("base/5/new", O_WRONLY | O_CREAT, 0640);
    ASSERT_TRUE(fd);
    struct stat status;
    ASSERT_EQ(::stat((base / "data/base/5/new").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777 & ~0026, 0640 & ~0026u);
    EXPECT_FALSE(directory->open("elsewhere/new", O_WRONLY | O_CREAT, 0600));
    EXPECT_FALSE(outside.exists("new"));
}

TEST_F(BeneathTest, StaysWhereItWasOpened)
{
    fs::rename(base / "data", base / "moved");
    EXPECT_EQ(open("base/5/16384"), "");
}

TEST(Beneath, AMissingDirectoryIsAnError)
{
    EXPECT_THROW(BeneathDirectory("/nonexistent/data"), Error);
}

TEST(Beneath, LastPart)
{
    EXPECT_EQ(last_part("a/b/c"), "c");
    EXPECT_EQ(last_part("c"), "c");
}

} // namespace
} // namespace failback
