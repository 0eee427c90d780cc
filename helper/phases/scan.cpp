#include "helper/phases/scan.h"

#include "helper/cancel.h"
#include "helper/phases/shared_history.h"
#include "helper/phases/shared_segments.h"

#include <algorithm>
#include <span>
#include <unistd.h>

namespace failback {

namespace {

constexpr Lsn nowhere{~uint64_t{0}};

// Why the target's WAL alone cannot be relied on; thrown inside this file only.
struct Unusable {
    std::string reason;
};

// Hint bits reach the disk without WAL unless one of these was on ever since the divergence: then WAL does not name every
// changed block.
void check_hints_are_logged(const ControlFile &control, const WalScanResult &wal)
{
    const ControlFileData &data = control.data;
    if (data.data_checksum_version == 0 && !data.wal_log_hints)
        throw Unusable{"the target has neither data checksums nor wal_log_hints, so pages changed with no trace in WAL"};
    if (data.wal_log_hints && !wal.parameters_changed)
        return;
    if (data.data_checksum_version == 0)
        throw Unusable{"the target has no data checksums, and wal_log_hints may have been off before it was last restarted"};
    // They are there now. That they were there before shows in WAL written because of them; or pg_checksums had no
    // opportunity: it needs a server that was stopped cleanly, and sets pg_control's time, which is else that of the end of
    // the shutdown checkpoint.
    bool written_later = data.state == DB_SHUTDOWNED && data.time > data.checkPointCopy.time;
    if (!wal.hints_were_logged && (wal.restarted || written_later))
        throw Unusable{"the target's data checksums may have been enabled after the divergence, and wal_log_hints was off"};
}

// One that cannot be read proves nothing: it may be a recycled one that nobody is going to read.
bool read_start(const TargetDirectory &target, const std::string &path, std::span<unsigned char> bytes)
{
    try {
        FileDescriptor fd = target.open_read(path);
        return fd && ::pread(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    } catch (const Error &) {
        return false;
    }
}

class Scanner {
public:
    Scanner(const Context &context, const Inspection &inspection, SegmentProvider &wal, Source &source)
        : context_(context), inspection_(inspection), wal_(wal), source_(source)
    {
        for (std::string &name : context.target.names_in("pg_wal"))
            present_.names.insert(std::move(name));
        present_.read_start = [&target = context.target](const std::string &name, std::span<unsigned char> bytes) {
            return read_start(target, "pg_wal/" + name, bytes);
        };
    }

    // What is known by now, also when run() has thrown.
    ScanOutcome &outcome() { return outcome_; }

    void run()
    {
        if (!inspection_.target_history_problem.empty())
            throw Unusable{inspection_.target_history_problem};
        if (!find_divergence()) {
            outcome_.verdict = ScanOutcome::Verdict::no_rewind;
            return;
        }
        Difference &found = outcome_.difference;
        const SourceState &source = inspection_.source_state;
        if (source_may_be_behind_ && !source_goes_on(wal_, inspection_, source_, found.divergence)) {
            outcome_.verdict = ScanOutcome::Verdict::source_behind;
            return;
        }
        outcome_.diverged = true;
        // Pages that the target has kept would be ahead of the end of recovery.
        if (source.in_recovery && source.current < found.divergence)
            throw Unusable{"the source, a standby, has replayed WAL only up to " + source.current.text() +
                           ", which is before the divergence at " + found.divergence.text()};
        const ControlFile &control = inspection_.target_control;
        auto wal_of_both = make_shared_segments(wal_, source_, inspection_.segment_size, found.divergence);
        found.common = find_last_checkpoint(*wal_of_both, inspection_.target_history, inspection_.segment_size,
                                            control.data.system_identifier, found.divergence);
        found.start = found.common;
        for (const ControlFile *side : {&inspection_.target_control, &inspection_.source_control})
            if (side->redo() < found.start.redo)
                found.start = last_completed(*side);

        WalScanOptions options = base_options();
        options.start = found.common.redo;
        options.full_page_writes_at_start = found.common.full_page_writes;
        options.divergence = found.divergence;
        // Recovery has no use for the target's own: the source's comes in its place.
        wal_.need_not_keep(found.divergence);
        WalScanResult wal = scan_wal(*wal_of_both, options);
        context_.summary.lost = wal.lost;
        check_hints_are_logged(control, wal);
        // Without full-page images a page that was torn while it was copied could not be repaired by replay. A standby's own
        // setting says nothing about the WAL that it replays.
        if (!source.full_page_writes && !source.in_recovery)
            throw Unusable{"full_page_writes is off on the source"};
        if (!inspection_.source_control.data.checkPointCopy.fullPageWrites)
            throw Unusable{"full_page_writes was off on the source at its last checkpoint"};
        if (wal.untrusted)
            throw Unusable{"the target's WAL does not tell all that it changed: " + *wal.untrusted};
        check_was_primary();
        found.blocks = std::move(wal.blocks);
        // SP-GiST keeps in its first page, without WAL, where it has room: on pages that will be gone. An access method
        // of somebody else may do the like.
        found.blocks.add_first_blocks();
    }

private:
    // False if the target's WAL does not go beyond what both have.
    bool find_divergence()
    {
        CommonAncestor ancestor = find_common_ancestor(inspection_.target_history, inspection_.source_history);
        const TimelineEntry &last_common = inspection_.target_history.entries[ancestor.target_index];
        last_common_ = last_common;
        Difference &found = outcome_.difference;
        found.divergence = ancestor.divergence;
        found.divergence_timeline = last_common.timeline;
        bool beyond = found.divergence.valid() && inspection_.target_control.checkpoint() >= found.divergence;
        if (!beyond) {
            outcome_.target_end = end_of_target_wal();
            beyond = found.divergence.valid() && outcome_.target_end > found.divergence;
        }
        // What the histories say is only an upper bound.
        Lsn upto = beyond ? found.divergence : outcome_.target_end;
        auto hidden = find_hidden_divergence(wal_, inspection_, source_, last_common.begin, upto);
        if (!hidden && !beyond)
            return false;
        // A primary that has less is another server; a standby may have received less up to now.
        source_may_be_behind_ = hidden && !beyond && inspection_.source_state.in_recovery;
        if (hidden)
            found.divergence = *hidden;
        return true;
    }

    // A server that was in recovery when it passed the divergence may have set hint bits, for transactions that are
    // lost, on pages that were dirty anyway: nothing in WAL tells which.
    void check_was_primary() const
    {
        DBState state = inspection_.target_control.data.state;
        bool standby = state == DB_SHUTDOWNED_IN_RECOVERY || state == DB_IN_ARCHIVE_RECOVERY;
        bool promoted_later = last_common_.end.valid() && last_common_.end > outcome_.difference.divergence;
        if (standby || promoted_later)
            throw Unusable{"the target was a standby when it went past the divergence, and its hint bits are in no WAL"};
        // Pages that replay had dirtied before the common checkpoint were dirty still when it was promoted: hint bits on them
        // are in no WAL then, and replay from that checkpoint on does not bring back what they were. Only from a checkpoint
        // that the target itself had completed before.
        const TimelineEntry &last = inspection_.target_history.entries.back();
        bool promoted_since = inspection_.target_history.entries.size() > 1 && last.begin > outcome_.difference.common.redo;
        if (promoted_since && inspection_.target_control.redo() >= last.begin)
            throw Unusable{"the target was promoted after the last common checkpoint, and its hint bits may be in no WAL"};
        // Its files are older than its pg_control says.
        if (context_.target.exists("backup_label"))
            throw Unusable{"the target's recovery from a backup has not been completed"};
    }

    WalScanOptions base_options() const
    {
        WalScanOptions options;
        options.history = &inspection_.target_history;
        options.segment_size = inspection_.segment_size;
        options.system_identifier = inspection_.target_control.data.system_identifier;
        // Whatever state the server was in, all WAL up to its last checkpoint was written, and a standby's up to
        // its minRecoveryPoint: if it cannot be read up to there it is damaged, not at its end.
        options.at_least = std::max(inspection_.target_control.checkpoint() + 1, inspection_.target_control.min_recovery_point());
        // A crash ends WAL, and so does damage: but then there is more of it.
        options.present = &present_;
        options.progress = [this](Lsn) {
            check_cancelled();
            context_.progress.tick();
        };
        return options;
    }

    // Also what a standby has received but not replayed counts: it would be replayed at the next start.
    Lsn end_of_target_wal() const
    {
        WalScanOptions options = base_options();
        options.start = inspection_.target_control.redo();
        options.divergence = nowhere;
        return scan_wal(wal_, options).end_of_wal;
    }

    const Context &context_;
    const Inspection &inspection_;
    SegmentProvider &wal_;
    Source &source_;
    PresentSegments present_; // in the target's pg_wal
    ScanOutcome outcome_;
    TimelineEntry last_common_{};
    bool source_may_be_behind_ = false;
};

} // namespace

ScanOutcome scan(const Context &context, const Inspection &inspection, SegmentProvider &wal, Source &source)
{
    Scanner scanner(context, inspection, wal, source);
    ScanOutcome &outcome = scanner.outcome();
    try {
        scanner.run();
    } catch (const Unusable &why) {
        outcome.verdict = ScanOutcome::Verdict::unusable;
        outcome.reason = why.reason;
    } catch (const Error &error) {
        // WAL that is missing, damaged or of no common history is no reason to give up: content can be compared.
        switch (error.code()) {
        case ErrorCode::undefined_file:
        case ErrorCode::data_corrupted:
        case ErrorCode::wrong_state:
            outcome.verdict = ScanOutcome::Verdict::unusable;
            outcome.reason = error.detail().empty() ? error.what() : std::string(error.what()) + " (" + error.detail() + ")";
            if (std::string trouble = wal.trouble(); error.code() == ErrorCode::undefined_file && !trouble.empty())
                outcome.reason += "; " + trouble;
            break;
        default:
            throw;
        }
    }
    return std::move(outcome);
}

} // namespace failback
