#include "extension/running_wal.h"

#include "extension/source_files.h"

namespace failback {

RunningWal RunningWal::look(const ControlImage &control)
{
    RunningWal wal;
    wal.in_recovery_ = RecoveryInProgress();
    if (wal.in_recovery_) {
        wal.end_ = std::max(GetXLogReplayRecPtr(&wal.timeline_), control.data().minRecoveryPoint);
        wal.on_disk_ = wal.end_;
    } else {
        // pg_control shows the timeline of the last checkpoint; after a promotion that is the old one.
        wal.timeline_ = GetWALInsertionTimeLine();
        wal.on_disk_ = GetFlushRecPtr(nullptr);
        wal.end_ = GetXLogInsertRecPtr();
    }
    const List *entries = pg_call([&] { return readTimeLineHistory(wal.timeline_); });
    const ListCell *cell;
    foreach (cell, entries) {
        auto entry = static_cast<const TimeLineHistoryEntry *>(lfirst(cell));
        wal.begins_.push_back({entry->tli, entry->begin});
    }
    return wal;
}

TimeLineID RunningWal::timeline_of_segment(XLogSegNo segment) const
{
    for (const Begin &begin : begins_) {
        if (begin.lsn == 0 || segment_of(begin.lsn) <= segment)
            return begin.timeline;
    }
    return timeline_;
}

std::string RunningWal::segment_path(XLogSegNo segment) const
{
    char name[MAXFNAMELEN];
    XLogFileName(name, timeline_of_segment(segment), segment, wal_segment_size);
    return std::string("pg_wal/") + name;
}

std::optional<std::string> RunningWal::history_text() const
{
    if (timeline_ <= 1)
        return std::nullopt;
    SourceFile file(format("pg_wal/%08X.history", timeline_));
    if (!file)
        return std::nullopt;
    std::vector<unsigned char> content(static_cast<size_t>(file.size()));
    content.resize(file.read(0, content));
    return std::string(content.begin(), content.end());
}

} // namespace failback
