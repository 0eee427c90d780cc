// Main forks that both sides have: what a comparison of contents goes through, block by block. Pure: no I/O.
#pragma once

#include "common/manifest.h"
#include "common/path_rules.h"

#include <cstdint>
#include <vector>

namespace failback {

struct ComparableFile {
    const FileEntry *target;
    RelationPath relation;
    int64_t length; // bytes that both have, whole blocks; more than 0
};

// Both ascending by path; `target` must outlive the result. block_size in bytes.
std::vector<ComparableFile> comparable_files(const std::vector<FileEntry> &source, const std::vector<FileEntry> &target,
                                             int64_t block_size);

} // namespace failback
