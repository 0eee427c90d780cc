#include "helper/target/tablespace_location.h"

#include "common/error.h"
#include "common/test_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {
namespace {

mode_t mode_of(const std::string &path)
{
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST(TablespaceLocation, HasTheModeOfTheDataDirectory)
{
    test::TestDirectory place;
    mode_t before = ::umask(0027);
    for (mode_t mode : {0700, 0750}) {
        std::string location = place.path() + "/" + format("space%o", mode) + "/";
        make_tablespace_location(location, mode, true);
        EXPECT_EQ(mode_of(location), mode);
        // Repeated, and found as somebody made it.
        ASSERT_EQ(::chmod(location.c_str(), 0711), 0);
        make_tablespace_location(location, mode, true);
        EXPECT_EQ(mode_of(location), mode_t{0711});
    }
    ::umask(before);
    EXPECT_THROW(make_tablespace_location(place.path() + "/none/space", 0700, true), Error);
}

TEST(TablespaceLocation, IsADirectoryOfOurOwn)
{
    test::TestDirectory place;
    auto at = [&place](const char *name) { return place.path() + "/" + name; };
    ASSERT_EQ(::mkdir(at("own").c_str(), 0700), 0);
    ASSERT_EQ(::symlink("own", at("link").c_str()), 0);
    ASSERT_EQ(::symlink("nowhere", at("dangling").c_str()), 0);
    ASSERT_EQ(::symlink("/etc", at("foreign").c_str()), 0);
    std::ofstream(at("file")) << "x";
    for (const char *name : {"absent", "own", "own/", "link", "link/"})
        EXPECT_EQ(location_problem(at(name)), "") << name;
    EXPECT_NE(location_problem(at("dangling")), "");
    EXPECT_NE(location_problem(at("file")), "");
    if (::geteuid() != 0) {
        EXPECT_EQ(location_problem(at("foreign")), "directory \"" + at("foreign") + "\" belongs to somebody else");
        EXPECT_THROW(make_tablespace_location(at("foreign"), 0700, false), Error);
    }
    make_tablespace_location(at("link"), 0700, true);
    EXPECT_THROW(make_tablespace_location(at("file"), 0700, true), Error);
}

} // namespace
} // namespace failback
