// The timeline this server is on right now, and which WAL segments belong to it.
#pragma once

#include "extension/control_image.h"

namespace failback {

class RunningWal {
public:
    // Where the server is now. On a standby the end is the later of replay and minRecoveryPoint.
    static RunningWal look(const ControlImage &control);

    bool in_recovery() const { return in_recovery_; }
    TimeLineID timeline() const { return timeline_; }
    XLogRecPtr end() const { return end_; } // insert position, or as above

    XLogSegNo segment_of(XLogRecPtr lsn) const { return lsn / static_cast<uint64_t>(wal_segment_size); }
    // The last one with a record in it that is on disk: what is only in WAL buffers, several segments perhaps, has no file
    // yet, nor has the next segment where the position stands just after its header.
    XLogSegNo last_segment() const { return on_disk_ <= SizeOfXLogLongPHD ? 0 : segment_of(on_disk_ - SizeOfXLogLongPHD - 1); }
    // The timeline in the name of the segment: the newest that had begun by its end.
    TimeLineID timeline_of_segment(XLogSegNo segment) const;
    // "pg_wal/000000010000000000000001"
    std::string segment_path(XLogSegNo segment) const;
    // The content of the running timeline's history file; nullopt on timeline 1 or when it is missing.
    std::optional<std::string> history_text() const;

private:
    struct Begin {
        TimeLineID timeline;
        XLogRecPtr lsn;
    };
    bool in_recovery_ = false;
    TimeLineID timeline_ = 0;
    XLogRecPtr end_ = 0;
    XLogRecPtr on_disk_ = 0; // flushed up to here, or as end_ on a standby
    std::vector<Begin> begins_; // newest timeline first
};

} // namespace failback
