#include "helper/target/tablespace_location.h"

#include "common/error.h"
#include "common/test_directory.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

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

} // namespace
} // namespace failback
