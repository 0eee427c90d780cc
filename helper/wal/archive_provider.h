// Segments from the WAL archive, by the target's restore_command.
#pragma once

#include "helper/cluster/child_process.h"
#include "helper/wal/segment_provider.h"

#include <functional>
#include <set>

namespace failback {

struct ArchiveOptions {
    std::string command;     // restore_command: %f file name, %p where to put it, %r oldest needed (we say %f), %% a percent sign
    std::string directory;   // where restored segments are kept, absolute; exists
    uint32_t segment_size = 0;   // bytes
    Lsn written_to; // all WAL before this has been written and should be in the archive
    int time_limit_seconds = 60; // for the command (0: none), and for one segment that comes incomplete (0: 60 all the same)
};

// A restored segment gets its name by rename, when it is complete: what half a copy leaves is never seen as a segment.
class ArchiveProvider : public SegmentProvider {
public:
    explicit ArchiveProvider(ArchiveOptions options);

    // Runs the command. It failing means that the archive has no such segment, once a second attempt has failed too; one
    // that was written (written_to) gets two attempts more, within about two seconds, as an archive that cannot be reached
    // for a moment says the same; two such segments in all, so that an archive without them costs no more. A file of another size than a segment's, or that does not begin as this WAL segment, may be one that is being copied: it is asked
    // for again until the time limit, and then Error(data_corrupted) names it. A command killed by a signal, or not found
    // (126, 127), is Error(wrong_state), as for the server, and so is one that is ended at the time limit. Where the disk has no
    // room for a segment, that is why none has come: Error(io_error).
    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override;
    // What need not be kept loses its name as soon as it is open, so that a long history does not fill the disk.
    void need_not_keep(Lsn from) override;
    std::string trouble() const override { return trouble_; }

    // Any file of the archive, for .history files: one attempt, no waiting. False if there is none.
    bool restore_file(const std::string &name, const std::string &destination);

    const std::set<std::string> &restored() const { return restored_; } // names in `directory`

private:
    int run_command(const std::string &name, const std::string &destination);
    ChildOutput run_in_time(const std::string &name, const std::string &command) const;
    bool restore_segment(const std::string &name, Lsn begin);
    void check_room(const std::string &name, const std::string &temporary) const;

    ArchiveOptions options_;
    std::unique_ptr<SegmentProvider> kept_;
    std::set<std::string> restored_;
    std::set<std::string> missing_;
    std::string trouble_; // of the last command, if it failed: its status and what it printed
    Lsn need_not_keep_{~uint64_t{0}}; // from here on
    int patience_ = 2; // for so many missing segments that should be there
};

// The command with its placeholders filled in, values quoted for the shell only as PostgreSQL does: not at all.
std::string expand_restore_command(const std::string &command, const std::string &file, const std::string &path);

} // namespace failback
