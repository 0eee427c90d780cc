// What a failback knows of one file of a data directory. The only file-entry type of the project:
// directory_walk produces it on both sides, the extension sends it, plan/ compares two lists of it.
#pragma once

#include "common/checksum.h"

#include <cstdint>
#include <string>

namespace failback {

enum class FileKind : char {
    regular = 'f',
    directory = 'd',
    symlink = 'l', // only pg_wal and pg_tblspc/OID are reported as links; they are followed
};

struct FileEntry {
    std::string path; // relative to the data directory, '/' between parts, no leading or trailing '/'
    FileKind kind = FileKind::regular;
    int64_t size = 0;   // bytes; 0 unless regular
    uint32_t mode = 0;  // permission bits only (07777)
    int64_t mtime = 0;  // microseconds since 1970-01-01 UTC
    std::string link_target;  // for symlink, else empty
    bool has_checksum = false;
    Checksum checksum;  // of the whole content, valid if has_checksum
};

} // namespace failback
