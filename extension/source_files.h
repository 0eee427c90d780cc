// Which of the source's files are served to whom, and how they are opened without ever leaving the
// data directory, its pg_wal and its tablespaces.
#pragma once

#include "common/file_descriptor.h"
#include "extension/boundary.h"

#include <sys/stat.h>

namespace failback {

// Where this server's logs are, as log_directory_inside() says it.
std::optional<std::string> source_log_directory();

// What the current user may read.
class ServedPaths {
public:
    ServedPaths();
    // Throws Error(invalid_parameter) for a path that is not a safe relative one, and
    // Error(access_denied) for one that is never served.
    void check(std::string_view path) const;

private:
    bool superuser_;
    std::optional<std::string> log_directory_;
};

// Whether this is the file that ssl_key_file names, whatever its name here: by device and inode.
bool is_key_of_server(const struct stat &status);

// An open regular file of the data directory, or none. Counted among the server's descriptors.
class SourceFile {
public:
    SourceFile() = default;
    // Opens `path`, relative to the data directory and accepted by ServedPaths::check(). No link is
    // followed but pg_wal and pg_tblspc/OID themselves. Leaves the object empty when there is no
    // such file; throws Error(access_denied) for a link, or for a key of this server unless a superuser asks,
    // Error(invalid_parameter) for what is not a regular file, Error(io_error) for the rest.
    explicit SourceFile(const std::string &path);
    SourceFile(SourceFile &&) = default;
    SourceFile &operator=(SourceFile &&) = default;

    explicit operator bool() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }
    int64_t size() const { return size_; } // bytes when it was opened
    const std::string &path() const { return path_; }

    // Reads from `offset` (bytes) until `out` is full or the file ends; returns the bytes read.
    // Throws Error(io_error).
    size_t read(int64_t offset, std::span<unsigned char> out) const;

private:
    // One of the descriptors that fd.c reserves for others.
    class Reservation {
    public:
        Reservation() = default;
        ~Reservation() { release(); }
        Reservation(Reservation &&other) noexcept : held_(std::exchange(other.held_, false)) {}
        Reservation &operator=(Reservation &&other) noexcept
        {
            release();
            held_ = std::exchange(other.held_, false);
            return *this;
        }
        void acquire();

    private:
        void release();
        bool held_ = false;
    };

    std::string path_;
    Reservation reservation_;
    FileDescriptor fd_;
    int64_t size_ = 0;
};

} // namespace failback
