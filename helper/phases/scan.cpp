#include "helper/phases/scan.h"

#include "helper/phases/same_timeline.h"

namespace failback {

namespace {

constexpr Lsn nowhere{~uint64_t{0}};

// Hint bits reach the disk without WAL unless one of these is on: then WAL does not name every changed block.
void check_hints_are_logged(const ControlFile &control)
{
    if (control.data.data_checksum_version == 0 && !control.data.wal_log_hints)
        throw Error(ErrorCode::wrong_state,
                    "target server needs to use either data checksums or \"wal_log_hints = on\"",
                    "Without them pages change on disk with no trace in WAL.",
                    "Take a new base backup of the source, and set wal_log_hints on both servers for the next time.");
}

Checkpoint last_completed(const ControlFile &control)
{
    Checkpoint checkpoint;
    checkpoint.record = control.checkpoint();
    checkpoint.redo = control.redo();
    checkpoint.timeline = TimelineId{control.data.checkPointCopy.ThisTimeLineID};
    checkpoint.full_page_writes = control.data.checkPointCopy.fullPageWrites;
    return checkpoint;
}

class Scanner {
public:
    Scanner(const Context &context, const Inspection &inspection, Source &source)
        : context_(context), inspection_(inspection), source_(source),
          wal_(make_directory_provider(context.target.absolute("pg_wal"), inspection.segment_size))
    {
    }

    std::optional<ScanOutcome> run()
    {
        ScanOutcome outcome;
        outcome.divergence = inspection_.ancestor.divergence;
        size_t common_index = inspection_.ancestor.target_index;
        outcome.divergence_timeline = inspection_.target_history.entries[common_index].timeline;
        if (!outcome.divergence.valid()) {
            // The same timeline number to the end: only the WAL itself can tell whether it is the same history.
            auto divergence = find_same_timeline_divergence(*wal_, inspection_, source_, end_of_target_wal());
            if (!divergence)
                return std::nullopt;
            outcome.divergence = *divergence;
        } else if (!target_goes_beyond(outcome.divergence)) {
            return std::nullopt;
        }

        const ControlFile &control = inspection_.target_control;
        check_hints_are_logged(control);
        outcome.common = find_last_checkpoint(*wal_, inspection_.target_history, inspection_.segment_size,
                                              control.data.system_identifier, outcome.divergence);
        outcome.start = outcome.common;
        for (const ControlFile *side : {&inspection_.target_control, &inspection_.source_control})
            if (side->redo() < outcome.start.redo)
                outcome.start = last_completed(*side);

        WalScanOptions options = base_options();
        options.start = outcome.common.redo;
        options.full_page_writes_at_start = outcome.common.full_page_writes;
        options.divergence = outcome.divergence;
        outcome.wal = scan_wal(*wal_, options);
        if (outcome.wal.untrusted)
            throw Error(ErrorCode::wrong_state, "the target's WAL does not tell all that it changed: " + *outcome.wal.untrusted,
                        "", "Take a new base backup of the source.");
        return outcome;
    }

private:
    WalScanOptions base_options() const
    {
        WalScanOptions options;
        options.history = &inspection_.target_history;
        options.segment_size = inspection_.segment_size;
        options.system_identifier = inspection_.target_control.data.system_identifier;
        // Whatever state the server was in, all WAL up to its last checkpoint was written.
        options.at_least = inspection_.target_control.checkpoint() + 1;
        options.progress = [this](Lsn) { context_.progress.tick(); };
        return options;
    }

    // Also what a standby has received but not replayed counts: it would be replayed at the next start.
    Lsn end_of_target_wal() const
    {
        WalScanOptions options = base_options();
        options.start = inspection_.target_control.redo();
        options.divergence = nowhere;
        return scan_wal(*wal_, options).end_of_wal;
    }

    bool target_goes_beyond(Lsn divergence) const
    {
        if (inspection_.target_control.checkpoint() >= divergence)
            return true;
        return end_of_target_wal() > divergence;
    }

    const Context &context_;
    const Inspection &inspection_;
    Source &source_;
    std::unique_ptr<SegmentProvider> wal_;
};

} // namespace

std::optional<ScanOutcome> scan(const Context &context, const Inspection &inspection, Source &source)
{
    std::optional<ScanOutcome> outcome = Scanner(context, inspection, source).run();
    if (!outcome)
        return outcome;
    context.summary.divergence = outcome->divergence;
    context.summary.divergence_timeline = outcome->divergence_timeline;
    context.summary.checkpoint = outcome->common.redo;
    context.summary.checkpoint_timeline = outcome->common.timeline;
    context.summary.lost = outcome->wal.lost;
    return outcome;
}

} // namespace failback
