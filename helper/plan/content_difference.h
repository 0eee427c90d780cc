// Source manifest x target manifest x differing blocks -> what differs, file by file, for "diff". Pure: no I/O.
// What belongs to each server alone is left out: WAL, pg_control, configuration, statistics, what a start makes anew.
#pragma once

#include "common/manifest.h"
#include "common/path_rules.h"
#include "helper/wal/block_map.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace failback {

enum class FileState { differs, only_on_source, only_on_target };

struct FileDifference {
    std::string path;
    FileState state = FileState::differs;
    int64_t source_size = 0; // bytes
    int64_t target_size = 0;
    int64_t blocks = 0;           // of main forks: the longer side's
    int64_t differing_blocks = 0; // of main forks: also those that one side alone has
    std::optional<RelationPath> relation; // whose file it is
};

struct ContentDifference {
    std::vector<FileDifference> files; // ascending by path; only what differs
    int64_t files_compared = 0;        // on both sides
    int64_t blocks_compared = 0;       // of main forks on both sides
    int64_t differing_blocks = 0;
    int64_t differing_relation_files = 0; // main forks on both sides
    int64_t differing_other_files = 0;    // anything else on both sides
    int64_t only_on_source = 0;           // files
    int64_t only_on_target = 0;
};

// Both ascending by path; checksums of all that is no main fork, where the sizes are equal.
ContentDifference find_content_difference(const std::vector<FileEntry> &source, const std::vector<FileEntry> &target,
                                          const BlockMap &blocks, uint32_t block_size, uint32_t relation_segment_blocks);

} // namespace failback
