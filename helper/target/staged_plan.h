// Everything that apply and finish need, as it is written to disk before the commit: with it, and with what is
// staged beside it, the work can be completed by any later run without the source.
#pragma once

#include "helper/plan/plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace failback {

// A small file whose content is part of the plan: backup_label, standby.signal, postgresql.auto.conf, ...
struct LocalFile {
    std::string path;
    std::string content;
};

struct StagedRedo {
    std::string path;   // in the staging directory
    int64_t length = 0; // bytes
};

struct StagedPlan {
    std::vector<FileAction> actions; // as decided, then corrected by what the source had (fetch lists dropped)
    std::vector<StagedRedo> redo_files;
    std::vector<LocalFile> local_files;       // written in this order, after all actions
    std::vector<unsigned char> control_file;  // the last thing to be put in place
    uint64_t recovery_start = 0;              // LSN at which replay begins
};

// A file that claims to be longer is none of ours.
inline constexpr int64_t max_plan_bytes = int64_t{1} << 32;

// With a version and a checksum of its own.
std::vector<unsigned char> encode_staged_plan(const StagedPlan &plan);
// Throws Error(data_corrupted) naming `name`; every path is checked to be a safe relative one.
StagedPlan decode_staged_plan(std::span<const unsigned char> bytes, const std::string &name);

} // namespace failback
