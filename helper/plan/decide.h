// Source manifest x target manifest x block map -> plan. Pure: no I/O. Everything but WAL segments and what belongs
// to them: plan/wal_plan.h decides about those once the end of recovery is known.
#pragma once

#include "helper/plan/plan.h"
#include "helper/wal/block_map.h"

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

enum class ForeignFiles { keep_targets, as_source };

// What decide() is told to do with a configuration file (helper/standby/config_policy.h decides).
enum class ConfigChoice { keep, write_beside, take_source, remove };

struct DecideInput {
    const std::vector<FileEntry> *source = nullptr; // ascending by path, checksums of what WAL does not track
    const std::vector<FileEntry> *target = nullptr; // ascending by path, checksums where the sizes are equal
    const BlockMap *blocks = nullptr;
    uint32_t block_size = 8192;                 // bytes
    uint32_t relation_segment_blocks = 131072;  // blocks per file of a relation
    bool compressed = false; // what is fetched comes compressed, and waits so in the redo file
    std::set<std::string, std::less<>> own_keys; // of the target, where names do not tell that they are: they stay as they are
    // Files and directories that are none of PostgreSQL's and only the target has: kept or removed.
    ForeignFiles foreign = ForeignFiles::keep_targets;
    std::function<ConfigChoice(std::string_view path, bool on_target, bool on_source, bool identical)> config;
    std::function<std::string(std::string_view path)> source_copy_name;
};

// Throws Error(wrong_state) for what cannot be reconciled (a file here, a directory there).
Plan decide(const DecideInput &input);

// Sorts by path, as decide() needs it.
void sort_manifest(std::vector<FileEntry> &entries);

} // namespace failback
