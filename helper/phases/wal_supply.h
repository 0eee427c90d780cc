// Where the target's WAL comes from in this run: its pg_wal, then (if told) its archive.
#pragma once

#include "helper/phases/inspect.h"
#include "helper/wal/archive_provider.h"
#include "helper/wal/segment_provider.h"

#include <memory>
#include <set>
#include <string>

namespace failback {

class WalSupply {
public:
    // Finds the restore command if --restore-target-wal was given: --restore-command, else the target's own setting.
    // Throws Error(wrong_state) if there is none. Restored segments are kept in staging (in a dry run: in a directory
    // of their own, removed at the end), so pg_wal itself stays as it was until apply.
    WalSupply(const Context &context, const Inspection &inspection);
    ~WalSupply();
    WalSupply(const WalSupply &) = delete;
    WalSupply &operator=(const WalSupply &) = delete;

    // Asks the archive, if there is one, for the target's history file, where the target itself has none: answered at once.
    // Clears the problem that `inspection` notes.
    void find_history(const Context &context, Inspection &inspection);

    SegmentProvider &segments() { return *segments_; }
    // Names of segments that the archive gave; they lie in restored_directory().
    std::set<std::string> restored() const;

private:
    std::string restore_command(const Context &context) const;

    std::unique_ptr<SegmentProvider> segments_;
    ArchiveProvider *archive_ = nullptr; // one of segments_
    std::string directory_;              // where restored files are kept
    std::string scratch_;                // the same, of a dry run
};

} // namespace failback
