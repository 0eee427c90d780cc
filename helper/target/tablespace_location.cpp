#include "helper/target/tablespace_location.h"

#include "common/error.h"
#include "common/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

// For a parent that we may pass but not read.
bool flush_filesystem_of(const std::string &directory)
{
    FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && ::syncfs(fd.get()) == 0;
}

} // namespace

std::string location_problem(const std::string &location)
{
    struct stat name, place;
    // With a slash at its end, it would be what the link leads to.
    std::string bare = location.substr(0, location.find_last_not_of('/') + 1);
    if (::lstat(bare.c_str(), &name) != 0)
        return errno == ENOENT ? "" : io_error("examine", location, errno).what();
    if (S_ISLNK(name.st_mode) && name.st_uid != ::geteuid() && name.st_uid != 0)
        return format("\"%s\" is a symbolic link of somebody else's", location.c_str());
    if (::stat(location.c_str(), &place) != 0)
        return io_error("examine", location, errno).what();
    if (!S_ISDIR(place.st_mode))
        return format("\"%s\" is not a directory", location.c_str());
    if (place.st_uid != ::geteuid())
        return format("directory \"%s\" belongs to somebody else", location.c_str());
    return "";
}

void make_tablespace_location(const std::string &location, mode_t mode, bool sync)
{
    if (::mkdir(location.c_str(), mode) != 0 && errno != EEXIST)
        throw io_error("create tablespace directory", location, errno);
    if (std::string problem = location_problem(location); !problem.empty())
        throw Error(ErrorCode::access_denied, problem, "", "Put a directory of the user who runs this in its place, then run the command again.");
    if (!sync)
        return;
    // Also if it was there: by a run that was interrupted before this.
    std::string parent = location.substr(0, location.find_last_not_of('/') + 1);
    parent.resize(parent.rfind('/') + 1);
    FileDescriptor fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd ? ::fsync(fd.get()) == 0 : errno == EACCES && flush_filesystem_of(location))
        return;
    throw io_error("flush directory", parent, errno);
}

} // namespace failback
