// pg_control: reading it, comparing two, and the one a new standby starts from.
#pragma once

#include "helper/cluster/lsn.h"
#include "helper/pg_frontend.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

inline constexpr const char *control_file_path = "global/pg_control";
// More is read of none: the file has PG_CONTROL_FILE_SIZE bytes (8 kB).
inline constexpr int64_t max_control_bytes = 1024 * 1024;

struct ControlFile {
    ControlFileData data{};
    std::vector<unsigned char> image; // the whole file, PG_CONTROL_FILE_SIZE bytes

    // max(checkpoint's ThisTimeLineID, minRecoveryPointTLI). Just after a promotion, until the next checkpoint,
    // a running server is one ahead of it.
    TimelineId timeline() const;
    // Shut down in an orderly way, as a primary or as a standby.
    bool cleanly_shut_down() const;
    Lsn checkpoint() const { return Lsn{data.checkPoint}; }
    Lsn redo() const { return Lsn{data.checkPointCopy.redo}; }
    Lsn min_recovery_point() const { return Lsn{data.minRecoveryPoint}; }
    // In pg_controldata's words: "shut down", "in production", ...
    const char *state_name() const;
};

// Checks size, version (which tells byte order too), CRC and WAL segment size. `name` is for messages.
// Throws Error(data_corrupted), or Error(not_supported) for another major's file.
ControlFile parse_control_file(std::span<const unsigned char> bytes, std::string_view name);

// Throws Error(wrong_state) unless both are clusters of one system identifier and one format (versions, block
// and segment sizes, checksums, alignment, ...). All that differs is named at once, with both values, in the detail.
void check_compatible(const ControlFile &target, const ControlFile &source);

// The source's image turned into one for a standby in archive recovery that is consistent from `min_recovery` on
// `timeline` on, with the present time and a new CRC. The same size.
std::vector<unsigned char> build_standby_control_file(const ControlFile &source, Lsn min_recovery, TimelineId timeline);

} // namespace failback
