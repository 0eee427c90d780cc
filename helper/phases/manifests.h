// Both sides' file lists, and what the target's own configuration says about them.
#pragma once

#include "common/manifest.h"
#include "helper/phases/inspect.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace failback {

struct Manifests {
    std::vector<FileEntry> source; // ascending by path; checksums of what WAL does not track block by block
    std::vector<FileEntry> target; // ascending by path; checksums where a file has the source's size
    std::set<std::string, std::less<>> target_keys; // private keys whose names need not tell that they are, see own_keys()
    bool target_configured_elsewhere = false; // its configuration is outside of the data directory
};

// Lists both sides, server logs left out. Throws Error.
Manifests read_manifests(const Context &context, const Inspection &inspection, Source &source);

// Only what is in the target's pg_wal, ascending by path.
std::vector<FileEntry> list_wal(const TargetDirectory &target);

} // namespace failback
