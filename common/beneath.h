// Opens files of a data directory by relative path without ever leaving it: the one place where a path
// that the other side named becomes a file.
//
// Symbolic links are refused everywhere but at the two places where PostgreSQL itself has them: pg_wal
// and pg_tblspc/OID. Those are followed once, and what is below them is again resolved beneath.
#pragma once

#include "common/file_descriptor.h"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace failback {

class BeneathDirectory {
public:
    // Opens the data directory itself (absolute or relative to the working directory). Throws Error(io_error).
    explicit BeneathDirectory(std::string root);

    // openat() of a regular file or directory below; `flags` and `mode` as of open(2), O_CLOEXEC and
    // O_NOFOLLOW are added. `path` must pass check_relative_path() (checked here). On failure returns an empty
    // descriptor with errno set; ELOOP or EXDEV mean that a symbolic link was in the way.
    FileDescriptor open(std::string_view path, int flags, mode_t mode = 0) const;

    // The directory that holds the last part of `path`, for the *at() calls; empty with errno as above.
    FileDescriptor open_parent(std::string_view path) const;

    int fd() const { return root_fd_.get(); }
    const std::string &path() const { return root_; }

private:
    FileDescriptor open_anchor(std::string_view path, std::string_view *rest) const;

    std::string root_;
    FileDescriptor root_fd_;
};

} // namespace failback
