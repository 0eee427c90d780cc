#include "helper/cluster/backup_label.h"

#include "helper/pg_frontend.h"

namespace failback {

std::string backup_label_text(const BackupLabel &label, uint32_t wal_segment_size)
{
    char segment[MAXFNAMELEN];
    XLogFileName(segment, label.timeline.value, label.redo.value / wal_segment_size, static_cast<int>(wal_segment_size));

    std::tm broken_down{};
    gmtime_r(&label.start_time, &broken_down);
    char time[64];
    std::strftime(time, sizeof time, "%Y-%m-%d %H:%M:%S UTC", &broken_down);

    // "FROM: standby" makes the server take the end of the backup from pg_control's minRecoveryPoint. Any method
    // but "streamed" means that no end-of-backup record will come; the server reads at most 19 characters of it.
    return format("START WAL LOCATION: %s (file %s)\n", label.redo.text().c_str(), segment)
           + format("CHECKPOINT LOCATION: %s\n", label.checkpoint.text().c_str())
           + "BACKUP METHOD: pg_failback\n"
             "BACKUP FROM: standby\n"
           + format("START TIME: %s\n", time)
           + "LABEL: pg_failback\n"
           + format("START TIMELINE: %u\n", label.timeline.value);
}

} // namespace failback
