#include "extension/source_files.h"

#include "common/beneath.h"
#include "common/path_rules.h"
#include "common/path_text.h"
#include "extension/pg_compat.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

extern "C" {
#include "common/relpath.h"
#include "postmaster/syslogger.h"
#include "storage/fd.h"
#include "utils/guc.h"
}

namespace failback {

namespace {

bool is_below(std::string_view path, std::string_view directory)
{
    return path.size() >= directory.size() && path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

// pg_tblspc/OID/NAME, where NAME is not what this server keeps there: others may use the same place.
bool is_beside_tablespace(std::string_view path)
{
    constexpr std::string_view tablespaces = "pg_tblspc/";
    size_t slash = path.starts_with(tablespaces) ? path.find('/', tablespaces.size()) : std::string_view::npos;
    if (slash == std::string_view::npos)
        return false;
    std::string_view inner = path.substr(slash + 1);
    return inner.substr(0, inner.find('/')) != TABLESPACE_VERSION_DIRECTORY;
}

// Opened once in the life of the backend.
const BeneathDirectory &data_directory()
{
    static const BeneathDirectory directory(DataDir);
    return directory;
}

} // namespace

std::optional<std::string> source_log_directory()
{
    if (!Log_directory)
        return std::nullopt;
    return log_directory_inside(Log_directory, DataDir);
}

bool is_key_of_server(const struct stat &status)
{
    // Relative to the data directory, which is where a server process works.
    return pg_call([&] {
        auto is_it = [&](const char *path) {
            struct stat key;
            return ::stat(path, &key) == 0 && key.st_dev == status.st_dev && key.st_ino == status.st_ino;
        };
        const char *ssl_key_file = GetConfigOption("ssl_key_file", true, false);
        return (ssl_key_file && is_it(ssl_key_file)) || compat::any_host_key(is_it);
    });
}

ServedPaths::ServedPaths()
    : superuser_(pg_call([] { return superuser(); })), log_directory_(source_log_directory())
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
    if (is_beside_tablespace(path))
        refuse("Only this server's directory is served from a tablespace.");
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
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    fd_ = data_directory().open(path, O_RDONLY | O_NONBLOCK);
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
    if (!parse_relation_path(path) && is_key_of_server(status) && !pg_call([] { return superuser(); }))
        throw Error(ErrorCode::access_denied, format("file \"%s\" is not served", path.c_str()), {},
                    "Private keys are served to superusers only.");
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
