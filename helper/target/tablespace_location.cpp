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

// Where others may make names too, one of them may have been quicker, with a link to a directory of ours that holds something else.
void check_ours(const std::string &location)
{
    FileDescriptor fd(::open(location.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status;
    if (!fd || ::fstat(fd.get(), &status) != 0)
        throw io_error("open tablespace directory", location, errno);
    if (status.st_uid != ::geteuid())
        throw Error(ErrorCode::access_denied, format("tablespace directory \"%s\" belongs to somebody else", location.c_str()), "",
                    "Make it a directory of the user who runs this, then run the command again.");
}

} // namespace

void make_tablespace_location(const std::string &location, mode_t mode, bool sync)
{
    if (::mkdir(location.c_str(), mode) != 0 && errno != EEXIST)
        throw io_error("create tablespace directory", location, errno);
    check_ours(location);
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
