// What a failback will do to the target, file by file. Made by decide(), carried out by fetch and apply.
#pragma once

#include "common/manifest.h"

#include <cstdint>
#include <string>
#include <vector>

namespace failback {

struct Extent {
    int64_t offset = 0; // bytes
    int64_t length = 0;
    bool operator==(const Extent &) const = default;
};

enum class FileActionKind : uint8_t {
    remove,           // a file, link or (empty by then) directory of the target goes
    create_directory,
    create_symlink,   // a tablespace that the target does not have
    replace,          // nothing of the target's file is kept
    patch,            // the extents are overwritten or appended, then the file gets its final size
};

// How fetched content waits for the commit.
enum class StagingKind : uint8_t {
    redo,       // in the redo file, written into place by apply: what is small, or changes little of a file
    whole_file, // a complete new file is built beside and renamed: one write instead of two where most changes
};

struct FileAction {
    std::string path;        // on the target
    std::string source_path; // on the source; empty: the same
    FileActionKind kind = FileActionKind::remove;
    FileKind file_kind = FileKind::regular; // of what is removed
    StagingKind staging = StagingKind::redo;
    bool relation = false;   // WAL replay repairs it if it changes while it is read
    int64_t size = 0;        // final size, bytes; replace and patch
    std::vector<Extent> fetch; // ascending, not adjacent, inside [0, size)
    std::string link_target; // create_symlink

    const std::string &read_from() const { return source_path.empty() ? path : source_path; }
};

// Up to which size a file was asked for that may have grown (room_to_grow.h).
struct GrowthLimit {
    size_t action; // index in the plan
    int64_t size;  // bytes
};

struct Plan {
    std::vector<FileAction> actions; // ascending by path
    std::vector<GrowthLimit> growth;
    std::vector<std::string> notes;  // what a DBA should know ("tablespace 16400 stays at ...")
    int64_t bytes_to_fetch = 0;
    int64_t blocks_to_fetch = 0; // of relation main forks
    int64_t files_kept = 0;      // regular files on both sides that stay as they are
    int64_t source_bytes = 0;    // size of all files of the source's manifest
};

} // namespace failback
