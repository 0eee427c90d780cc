// The target's data directory, locked for this process. The one handle through which it is written.
#pragma once

#include "common/beneath.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace failback {

// All paths are relative to the data directory and resolved beneath it (common/beneath.h). Every writing call
// throws Error(internal) when the directory was opened for a dry run, Error(io_error) with the path otherwise.
class TargetDirectory {
public:
    enum class Access { read_only, read_write };

    // Opens and locks (flock, released with the process). Throws Error(wrong_state) if another pg_failback holds it.
    TargetDirectory(const std::string &path, Access access);

    const std::string &path() const { return beneath_.path(); }
    std::string absolute(std::string_view relative) const { return path() + "/" + std::string(relative); }
    mode_t file_mode() const { return file_mode_; } // 0600, or 0640 in a group-readable cluster
    mode_t directory_mode() const { return directory_mode_; }

    bool exists(std::string_view path) const;
    FileDescriptor open_read(std::string_view path) const;
    // "" is the data directory itself. Empty if it does not exist; pg_wal and tablespace links are followed.
    FileDescriptor open_directory(std::string_view path) const;
    // Names in a directory but "." and ".."; empty if it does not exist.
    std::vector<std::string> names_in(std::string_view path) const;
    // Whole content; nullopt if it does not exist. At most `limit` bytes, more is Error(data_corrupted).
    std::optional<std::vector<unsigned char>> read_file(std::string_view path, int64_t limit) const;

    // For writing; `flags` like O_CREAT | O_TRUNC.
    FileDescriptor open_write(std::string_view path, int flags) const;
    // Atomically and durably: through a temporary name in the same directory.
    void write_file(std::string_view path, std::span<const unsigned char> content, bool sync) const;
    void make_directory(std::string_view path) const;      // existing: fine
    void make_symlink(std::string_view path, const std::string &link_target) const; // existing, same: fine
    // False if there was nothing of that kind by that name.
    bool remove_file(std::string_view path) const;         // file or link, never a directory
    bool remove_directory(std::string_view path) const;    // stays (false) if it is not empty
    // A file or link, or a directory with all that is in it, never through links. What something else puts into it at
    // the same time may stay, and the directory with it.
    void remove_tree(std::string_view path) const;
    void rename(std::string_view from, std::string_view to) const;
    // Flushes a file, or a directory's entries.
    void sync(std::string_view path) const;
    void sync_parent(std::string_view path) const;

private:
    void check_writable() const;

    BeneathDirectory beneath_;
    Access access_;
    mode_t file_mode_ = 0600;
    mode_t directory_mode_ = 0700;
};

// Under which TargetDirectory::write_file() makes `path`.
std::string temporary_name(std::string_view path);

// Whole buffers at once; throws Error(io_error) naming `path`. read_at returns less at the end of the file only.
size_t read_at(int fd, std::span<unsigned char> buffer, int64_t offset, const std::string &path);
void write_at(int fd, std::span<const unsigned char> data, int64_t offset, const std::string &path);

} // namespace failback
