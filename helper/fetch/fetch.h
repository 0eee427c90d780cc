// Brings what the plan names from the source into staging, over several connections. The target's own files are read,
// never written.
#pragma once

#include "helper/plan/plan.h"
#include "helper/source/source.h"
#include "helper/target/staged_plan.h"
#include "helper/target/target_dir.h"

#include <functional>
#include <string>
#include <vector>

namespace failback {

struct FetchOptions {
    int jobs = 2;                     // connections, at least 1
    bool sync = true;                 // flush what was staged
    std::string redo_name = "blocks"; // base name of the redo files in the staging directory
    uint32_t block_size = 0; // bytes: take over what interrupted runs have staged, in such blocks; 0: do not
    std::function<void(int64_t)> progress; // bytes of content since the last call; from any thread
};

struct FetchResult {
    std::vector<StagedRedo> redo_files;
    int64_t bytes_fetched = 0;  // content
    int64_t bytes_received = 0; // payload as it came, compressed or not
    int64_t bytes_staged = 0;   // written to staging
    int64_t bytes_taken_over = 0; // content that was not fetched as an interrupted run had staged it
};

// How many of `jobs` connections so many bytes keep busy, at the least: one request is one connection's.
int connections_for(int64_t bytes, int jobs);

// Fetches actions[first, end): their extents go to redo or whole-file staging as the action says. Corrects the
// actions by what the source had: a file that is gone there becomes `remove`, one that ended early gets that size.
// Flushed on return. Throws Error; staging may be left half-filled, the target is untouched.
FetchResult fetch_actions(Source &source, const TargetDirectory &target, std::vector<FileAction> &actions,
                          size_t first, const FetchOptions &options);

} // namespace failback
