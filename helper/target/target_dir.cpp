#include "helper/target/target_dir.h"

#include "common/error.h"
#include "common/path_text.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace failback {

TargetDirectory::TargetDirectory(const std::string &path, Access access) : beneath_(path), access_(access)
{
    struct stat status;
    if (::fstat(beneath_.fd(), &status) != 0)
        throw io_error("examine directory", path, errno);
    // As PostgreSQL does it: the group's rights on the data directory decide about everything in it.
    if ((status.st_mode & 0050) == 0050) {
        file_mode_ = 0640;
        directory_mode_ = 0750;
    }
    if (access == Access::read_write && status.st_uid != ::geteuid())
        throw Error(ErrorCode::access_denied, format("data directory \"%s\" belongs to another user", path.c_str()), "",
                    "Run the command as the user that the server runs as.");
    // The lock sits on the directory itself: no file of ours is needed, none can be left over.
    if (::flock(beneath_.fd(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            throw Error(ErrorCode::wrong_state, format("another pg_failback is at work on \"%s\"", path.c_str()), "",
                        "Wait until it has finished, or stop it; then run the command again.");
        throw io_error("lock directory", path, errno);
    }
}

void TargetDirectory::check_writable() const
{
    if (access_ != Access::read_write)
        throw Error(ErrorCode::internal, "a dry run tried to write to the target");
}

bool TargetDirectory::exists(std::string_view path) const
{
    FileDescriptor parent = beneath_.open_parent(path);
    struct stat status;
    if (parent && ::fstatat(parent.get(), std::string(last_part(path)).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    // What cannot be looked at must not pass for absent: a staged file would not be put in place.
    if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        throw io_error("examine", absolute(path), errno);
    return false;
}

FileDescriptor TargetDirectory::open_read(std::string_view path) const
{
    FileDescriptor fd = beneath_.open(path, O_RDONLY | O_NONBLOCK);
    if (!fd)
        throw io_error("open file", absolute(path), errno);
    return fd;
}

FileDescriptor TargetDirectory::open_directory(std::string_view path) const
{
    // The directory of a name in it: this way pg_wal and tablespace links are followed.
    FileDescriptor fd = beneath_.open_parent(path.empty() ? "x" : std::string(path) + "/x");
    // A tablespace's entry that is no directory (ENOTDIR) has nothing of ours in it either.
    if (!fd && errno != ENOENT && errno != ENOTDIR)
        throw io_error("open directory", absolute(path), errno);
    return fd;
}

std::vector<std::string> TargetDirectory::names_in(std::string_view path) const
{
    std::vector<std::string> names;
    FileDescriptor fd = open_directory(path);
    if (!fd)
        return names;
    DIR *directory = ::fdopendir(fd.get());
    if (directory == nullptr)
        throw io_error("open directory", absolute(path), errno);
    fd.release(); // owned by the DIR from here on
    errno = 0;
    while (const dirent *entry = ::readdir(directory)) {
        std::string name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back(std::move(name));
        errno = 0;
    }
    int error = errno;
    ::closedir(directory);
    if (error != 0)
        throw io_error("read directory", absolute(path), error);
    return names;
}

std::optional<std::vector<unsigned char>> TargetDirectory::read_file(std::string_view path, int64_t limit) const
{
    FileDescriptor fd = beneath_.open(path, O_RDONLY | O_NONBLOCK);
    if (!fd) {
        if (errno == ENOENT)
            return std::nullopt;
        throw io_error("open file", absolute(path), errno);
    }
    struct stat status;
    if (::fstat(fd.get(), &status) != 0)
        throw io_error("examine file", absolute(path), errno);
    if (!S_ISREG(status.st_mode) || status.st_size > limit)
        throw Error(ErrorCode::data_corrupted,
                    format("\"%s\" is not a regular file of at most %lld bytes", absolute(path).c_str(),
                           static_cast<long long>(limit)));
    std::vector<unsigned char> content(static_cast<size_t>(status.st_size));
    content.resize(read_at(fd.get(), content, 0, absolute(path)));
    return content;
}

FileDescriptor TargetDirectory::open_write(std::string_view path, int flags) const
{
    check_writable();
    FileDescriptor fd = beneath_.open(path, O_WRONLY | O_NONBLOCK | flags, file_mode_);
    if (!fd)
        throw io_error("open file for writing", absolute(path), errno);
    return fd;
}

void TargetDirectory::write_file(std::string_view path, std::span<const unsigned char> content, bool sync) const
{
    std::string temporary = temporary_name(path);
    FileDescriptor fd = open_write(temporary, O_CREAT | O_TRUNC);
    try {
        write_at(fd.get(), content, 0, absolute(temporary));
        if (sync && ::fsync(fd.get()) != 0)
            throw io_error("flush file", absolute(temporary), errno);
        rename(temporary, path);
    } catch (...) {
        // On a full disk others need its space.
        ::unlinkat(beneath_.open_parent(temporary).get(), std::string(last_part(temporary)).c_str(), 0);
        throw;
    }
    if (sync)
        sync_parent(path);
}

void TargetDirectory::make_directory(std::string_view path) const
{
    check_writable();
    FileDescriptor parent = beneath_.open_parent(path);
    if (!parent || (::mkdirat(parent.get(), std::string(last_part(path)).c_str(), directory_mode_) != 0 && errno != EEXIST))
        throw io_error("create directory", absolute(path), errno);
}

void TargetDirectory::make_symlink(std::string_view path, const std::string &link_target) const
{
    check_writable();
    FileDescriptor parent = beneath_.open_parent(path);
    std::string name(last_part(path));
    if (!parent)
        throw io_error("create symbolic link", absolute(path), errno);
    if (::symlinkat(link_target.c_str(), parent.get(), name.c_str()) == 0)
        return;
    int error = errno;
    std::string existing(link_target.size() + 1, '\0');
    ssize_t length = error == EEXIST ? ::readlinkat(parent.get(), name.c_str(), existing.data(), existing.size()) : -1;
    if (length < 0 || existing.substr(0, static_cast<size_t>(length)) != link_target)
        throw io_error("create symbolic link", absolute(path), error);
}

bool TargetDirectory::remove_file(std::string_view path) const
{
    check_writable();
    FileDescriptor parent = beneath_.open_parent(path);
    if (parent && ::unlinkat(parent.get(), std::string(last_part(path)).c_str(), 0) == 0)
        return true;
    if (errno == ENOENT || errno == EISDIR || errno == ENOTDIR)
        return false;
    throw io_error("remove file", absolute(path), errno);
}

bool TargetDirectory::remove_directory(std::string_view path) const
{
    check_writable();
    FileDescriptor parent = beneath_.open_parent(path);
    if (parent && ::unlinkat(parent.get(), std::string(last_part(path)).c_str(), AT_REMOVEDIR) == 0)
        return true;
    // EBUSY: somebody's file system is mounted there.
    if (errno == ENOENT || errno == ENOTDIR || errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY)
        return false;
    throw io_error("remove directory", absolute(path), errno);
}

void TargetDirectory::remove_tree(std::string_view path) const
{
    if (remove_file(path))
        return;
    for (const std::string &name : names_in(path))
        remove_tree(std::string(path) + "/" + name);
    remove_directory(path);
}

void TargetDirectory::rename(std::string_view from, std::string_view to) const
{
    check_writable();
    FileDescriptor from_parent = beneath_.open_parent(from);
    FileDescriptor to_parent = beneath_.open_parent(to);
    if (!from_parent || !to_parent ||
        ::renameat(from_parent.get(), std::string(last_part(from)).c_str(), to_parent.get(),
                   std::string(last_part(to)).c_str()) != 0) {
        int error = errno;
        throw io_error(format("rename \"%s\" to", absolute(from).c_str()).c_str(), absolute(to), error);
    }
}

void TargetDirectory::sync(std::string_view path) const
{
    FileDescriptor fd = path.empty() ? FileDescriptor(::fcntl(beneath_.fd(), F_DUPFD_CLOEXEC, 0))
                                     : beneath_.open(path, O_RDONLY | O_NONBLOCK);
    if (!fd || ::fsync(fd.get()) != 0)
        throw io_error("flush", absolute(path), errno);
}

void TargetDirectory::sync_parent(std::string_view path) const
{
    FileDescriptor fd = beneath_.open_parent(path);
    if (!fd || ::fsync(fd.get()) != 0)
        throw io_error("flush directory of", absolute(path), errno);
}

std::string temporary_name(std::string_view path)
{
    return std::string(path) + ".pg_failback_tmp";
}

size_t read_at(int fd, std::span<unsigned char> buffer, int64_t offset, const std::string &path)
{
    size_t done = 0;
    while (done < buffer.size()) {
        ssize_t got = ::pread(fd, buffer.data() + done, buffer.size() - done, offset + static_cast<int64_t>(done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw io_error("read file", path, errno);
        if (got == 0)
            break;
        done += static_cast<size_t>(got);
    }
    return done;
}

void write_at(int fd, std::span<const unsigned char> data, int64_t offset, const std::string &path)
{
    size_t done = 0;
    while (done < data.size()) {
        ssize_t put = ::pwrite(fd, data.data() + done, data.size() - done, offset + static_cast<int64_t>(done));
        if (put < 0 && errno == EINTR)
            continue;
        // Nothing written, and no reason given: PostgreSQL too takes it for a full disk.
        if (put <= 0)
            throw io_error("write file", path, put < 0 ? errno : ENOSPC);
        done += static_cast<size_t>(put);
    }
}

} // namespace failback
