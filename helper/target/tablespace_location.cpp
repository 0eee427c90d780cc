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

void make_tablespace_location(const std::string &location, mode_t mode, bool sync)
{
    if (::mkdir(location.c_str(), mode) != 0 && errno != EEXIST)
        throw io_error("create tablespace directory", location, errno);
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
