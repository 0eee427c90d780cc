// Data page checksums of the target's relation files.
#pragma once

#include "helper/target/check.h"
#include "helper/target/target_dir.h"

#include <cstdint>
#include <functional>

namespace failback {

struct PageCheckOptions {
    // A page with an LSN in [replay_from, replay_to) is restored from WAL when the server starts, whatever it holds now.
    uint64_t replay_from = 0;
    uint64_t replay_to = 0;
    std::string tablespace_directory; // "PG_15_202209061"
    int threads = 2;
    std::function<void(int64_t)> progress; // bytes read since the last call; from any thread
};

// Verifies every page of every permanent relation's files, which must be of a cluster with data checksums, as
// pg_checksums does. Reports defects, consecutive blocks of a file as one; from any thread. Returns the bytes read.
int64_t check_pages(const TargetDirectory &target, const PageCheckOptions &options,
                    const std::function<void(Defect &&)> &report);

} // namespace failback
