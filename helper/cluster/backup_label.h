// The backup_label that makes recovery start at the last common checkpoint instead of pg_control's.
// Format: "Making a Base Backup Using the Low Level API" in PostgreSQL's documentation; read line by line,
// in this order, by read_backup_label() of the server.
#pragma once

#include "helper/cluster/lsn.h"

#include <cstdint>
#include <ctime>
#include <string>

namespace failback {

struct BackupLabel {
    Lsn redo;          // START WAL LOCATION
    Lsn checkpoint;    // the checkpoint record that has this redo
    TimelineId timeline; // of that checkpoint
    time_t start_time = 0; // shown in UTC
};

// wal_segment_size in bytes. Ends with a newline.
std::string backup_label_text(const BackupLabel &label, uint32_t wal_segment_size);

} // namespace failback
