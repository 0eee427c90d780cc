#include "extension/source_files.h"

#include "common/path_rules.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

extern "C" {
#include "postmaster/syslogger.h"
#include "storage/fd.h"
}

namespace failback {

namespace {

constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

bool is_below(std::string_view path, std::string_view directory)
{
    return path.size() >= directory.size() && path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

// The part of `path` that may be a link of the cluster's own: "pg_wal" or "pg_tblspc/OID"; else empty.
std::string_view own_link(std::string_view path)
{
    if (path.starts_with("pg_wal/"))
        return path.substr(0, 6);
    constexpr std::string_view tablespaces = "pg_tblspc/";
    if (path.starts_with(tablespaces)) {
        size_t end = path.find_first_not_of("0123456789", tablespaces.size());
        if (end != std::string_view::npos && end > tablespaces.size() && path[end] == '/')
            return path.substr(0, end);
    }
    return {};
}

FileDescriptor open_directory(const std::string &path)
{
    return FileDescriptor(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// Opens `path` below `directory` part by part, following no link: for kernels, and sandboxes, without openat2.
FileDescriptor open_parts(const FileDescriptor &directory, const std::string &path)
{
    FileDescriptor current;
    size_t start = 0;
    for (;;) {
        int at = current ? current.get() : directory.get();
        size_t slash = path.find('/', start);
        std::string part = path.substr(start, slash == std::string::npos ? slash : slash - start);
        if (slash == std::string::npos)
            return FileDescriptor(::openat(at, part.c_str(), open_flags));
        FileDescriptor next(::openat(at, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next)
            return next;
        current = std::move(next);
        start = slash + 1;
    }
}

FileDescriptor open_beneath(const FileDescriptor &directory, const std::string &path)
{
#ifdef SYS_openat2
    open_how how = {};
    how.flags = open_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    long fd = ::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof(how));
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return FileDescriptor(static_cast<int>(fd));
#endif
    return open_parts(directory, path);
}

} // namespace

std::optional<std::string> log_directory_inside()
{
    if (!Log_directory)
        return std::nullopt;
    std::string path = Log_directory;
    if (path.starts_with('/')) {
        std::string data_directory = DataDir;
        if (!is_below(path, data_directory) || path.size() == data_directory.size())
            return std::nullopt;
        path.erase(0, data_directory.size());
    }
    // "./log//" is the same place as "log".
    std::string normal;
    for (size_t start = 0; start < path.size();) {
        size_t slash = std::min(path.find('/', start), path.size());
        std::string part = path.substr(start, slash - start);
        start = slash + 1;
        if (part.empty() || part == ".")
            continue;
        if (part == "..")
            return std::nullopt;
        normal += (normal.empty() ? "" : "/") + part;
    }
    if (normal.empty() || is_cluster_directory(std::string_view(normal).substr(0, normal.find('/'))))
        return std::nullopt;
    return normal;
}

ServedPaths::ServedPaths()
    : superuser_(pg_call([] { return superuser(); })), log_directory_(log_directory_inside())
{
}

void ServedPaths::check(std::string_view path) const
{
    check_relative_path(path);
    auto refuse = [&](const char *hint) {
        throw Error(ErrorCode::access_denied, format("file \"%s\" is not served", std::string(path).c_str()), {}, hint);
    };
    if (is_private_key(path) && !superuser_)
        refuse("Private keys are served to superusers only.");
    if (log_directory_ && is_below(path, *log_directory_))
        refuse("Server logs belong to each server.");
    switch (classify_path(path)) {
    case PathClass::excluded:
    case PathClass::relation_temporary:
        refuse("It belongs to the running server only and is never copied.");
        break;
    case PathClass::wal_other:
        refuse("Only WAL segments and timeline history files are served from pg_wal.");
        break;
    case PathClass::staging:
        refuse("It is a working file of pg_failback.");
        break;
    default:
        break;
    }
}

void SourceFile::Reservation::acquire()
{
    if (held_)
        return;
    if (!pg_call([] { return AcquireExternalFD(); }))
        throw Error(ErrorCode::io_error, "too many files are open in this session", {},
                    "Close cursors that are no longer needed, or raise max_files_per_process.");
    held_ = true;
}

void SourceFile::Reservation::release()
{
    if (std::exchange(held_, false))
        ReleaseExternalFD();
}

SourceFile::SourceFile(const std::string &path) : path_(path)
{
    reservation_.acquire();
    std::string_view link = own_link(path);
    std::string base = link.empty() ? std::string(DataDir) : std::string(DataDir) + "/" + std::string(link);
    FileDescriptor directory = open_directory(base);
    if (!directory) {
        if (errno == ENOENT && !link.empty()) {
            reservation_ = {};
            return; // a tablespace that was dropped
        }
        throw io_error("open directory", base, errno);
    }
    fd_ = open_beneath(directory, link.empty() ? path : path.substr(link.size() + 1));
    if (!fd_) {
        if (errno == ENOENT || errno == ENOTDIR) {
            reservation_ = {};
            return;
        }
        if (errno == ELOOP || errno == EXDEV)
            throw Error(ErrorCode::access_denied, format("file \"%s\" is not served", path.c_str()),
                        "A part of the path is a symbolic link.",
                        "The only links that are followed are pg_wal and those of tablespaces.");
        throw io_error("open file", path, errno);
    }
    struct stat status;
    if (::fstat(fd_.get(), &status) != 0)
        throw io_error("stat file", path, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorCode::invalid_parameter, format("\"%s\" is not a regular file", path.c_str()), {},
                    "Ask for the regular files that pg_failback_manifest lists.");
    size_ = status.st_size;
}

size_t SourceFile::read(int64_t offset, std::span<unsigned char> out) const
{
    size_t done = 0;
    while (done < out.size()) {
        ssize_t n = ::pread(fd_.get(), out.data() + done, out.size() - done, offset + static_cast<int64_t>(done));
        if (n == 0)
            break;
        if (n < 0) {
            if (errno == EINTR) {
                check_interrupts();
                continue;
            }
            throw io_error("read file", path_, errno);
        }
        done += static_cast<size_t>(n);
    }
    return done;
}

} // namespace failback
