// Walks a data directory in a fixed order and reports what a failback could need: the same code makes
// the source's manifest and the target's.
#pragma once

#include "common/manifest.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace failback {

struct WalkOptions {
    // Relative paths of directories that hold the server's own logs ("log"): not descended into.
    std::vector<std::string> log_directories;
    // true (source): leave out what is never copied: emptied directories' contents, excluded names,
    // unlogged relations' forks other than _init, temporary relations, private keys, log directories.
    // false (target): report them all, so that they can be removed; only log directories are left out.
    bool only_copied = true;
    bool private_keys = false; // with only_copied: report private keys too
    // "PG_15_202209061": the only entry of a tablespace's root that is reported and descended into;
    // empty: every one is. Other major versions keep theirs beside it.
    std::string tablespace_directory;
    // Called with each entry that is left out because check_relative_path() refuses its path: PostgreSQL gives no such
    // names, and nothing could be done with it.
    std::function<void(const std::string &path)> refused;
    // Called between files and often enough in long directories; may throw to stop the walk.
    std::function<void()> check_interrupts;
};

// Reports each entry below `root` (an absolute path to a data directory) one at a time, a directory before
// its contents, the entries of one directory in the order of their names' bytes. Pull-style, so that the
// extension can stream. Follows pg_wal and pg_tblspc/* links and no other; other links, sockets, fifos and
// devices are left out, and so are a file system's lost+found and paths that
// check_relative_path() refuses, with all below them. A file that vanishes while it is looked at is
// left out. Memory: the names of the directories on the current path. No descriptor stays open between calls.
class DirectoryWalk {
public:
    DirectoryWalk(std::string root, WalkOptions options);
    ~DirectoryWalk();
    // The next entry (without checksum), nullopt at the end. Throws Error(io_error).
    std::optional<FileEntry> next();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace failback
