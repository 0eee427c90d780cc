#include "common/beneath.h"

#include "common/error.h"
#include "common/path_text.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

namespace failback {

namespace {

// Resolves one component after the other, for kernels (or seccomp filters) without openat2.
int open_by_parts(int dir, std::string_view path, int flags, mode_t mode)
{
    FileDescriptor current;
    int at = dir;
    for (;;) {
        size_t slash = path.find('/');
        std::string part(path.substr(0, slash));
        bool last = slash == std::string_view::npos;
        int fd = ::openat(at, part.c_str(), last ? flags : O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0 || last)
            return fd;
        current = FileDescriptor(fd);
        at = current.get();
        path.remove_prefix(slash + 1);
    }
}

int open_beneath(int dir, std::string_view path, int flags, mode_t mode)
{
    flags |= O_CLOEXEC | O_NOFOLLOW;
    struct open_how how = {};
    how.flags = static_cast<uint64_t>(flags);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    std::string name(path);
    long fd = ::syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_parts(dir, path, flags, mode);
    return static_cast<int>(fd);
}

// How many leading parts of `path` may end in a link of PostgreSQL's own: "pg_wal" 1, "pg_tblspc/OID" 2.
size_t anchor_length(std::string_view path)
{
    constexpr std::string_view wal = "pg_wal";
    constexpr std::string_view tablespaces = "pg_tblspc/";
    if (path.starts_with("pg_wal/"))
        return wal.size();
    if (path.starts_with(tablespaces)) {
        size_t end = path.find_first_not_of("0123456789", tablespaces.size());
        if (end != std::string_view::npos && end > tablespaces.size() && path[end] == '/')
            return end;
    }
    return 0;
}

} // namespace

BeneathDirectory::BeneathDirectory(std::string root) : root_(std::move(root))
{
    root_fd_ = FileDescriptor(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root_fd_)
        throw io_error("open directory", root_, errno);
}

FileDescriptor BeneathDirectory::open_anchor(std::string_view path, std::string_view *rest) const
{
    size_t length = anchor_length(path);
    *rest = path;
    if (length == 0)
        return FileDescriptor(::fcntl(root_fd_.get(), F_DUPFD_CLOEXEC, 0));
    std::string_view anchor = path.substr(0, length);
    rest->remove_prefix(length + 1);
    FileDescriptor holder(::fcntl(root_fd_.get(), F_DUPFD_CLOEXEC, 0));
    size_t slash = anchor.rfind('/');
    if (slash != std::string_view::npos) {
        holder = FileDescriptor(open_beneath(root_fd_.get(), anchor.substr(0, slash), O_RDONLY | O_DIRECTORY, 0));
        if (!holder)
            return holder;
        anchor.remove_prefix(slash + 1);
    }
    // Follows the link, if it is one; the server itself does the same with every path below it.
    return FileDescriptor(::openat(holder.get(), std::string(anchor).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

FileDescriptor BeneathDirectory::open(std::string_view path, int flags, mode_t mode) const
{
    check_relative_path(path);
    std::string_view rest;
    FileDescriptor anchor = open_anchor(path, &rest);
    if (!anchor)
        return anchor;
    return FileDescriptor(open_beneath(anchor.get(), rest, flags, mode));
}

FileDescriptor BeneathDirectory::open_parent(std::string_view path) const
{
    check_relative_path(path);
    std::string_view rest;
    FileDescriptor anchor = open_anchor(path, &rest);
    size_t slash = rest.rfind('/');
    if (!anchor || slash == std::string_view::npos)
        return anchor;
    return FileDescriptor(open_beneath(anchor.get(), rest.substr(0, slash), O_RDONLY | O_DIRECTORY, 0));
}

} // namespace failback
