// A backup_manifest, as pg_basebackup writes it, for pg_verifybackup to check the finished data directory with.
#pragma once

#include "helper/cluster/lsn.h"
#include "helper/target/target_dir.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace failback {

inline constexpr const char *backup_manifest_path = "backup_manifest";

// WAL that recovery reads, out of segments of one timeline.
struct WalRange {
    TimelineId timeline;
    Lsn start, end;
};

struct BackupManifestOptions {
    std::string checksums;   // NONE, CRC32C, SHA224, SHA256, SHA384 or SHA512: of each file
    uint64_t system_identifier = 0;
    std::vector<WalRange> wal;
    int threads = 2;
    std::function<void(int64_t)> progress; // bytes read since the last call; from any thread
};

// Reads every file but WAL and ours that go, takes pg_control as `control_file`, and writes "backup_manifest".
// Throws Error(io_error).
void write_backup_manifest(const TargetDirectory &target, std::span<const unsigned char> control_file,
                           const BackupManifestOptions &options, bool sync);

} // namespace failback
