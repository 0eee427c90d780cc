#include "helper/phases/find_difference.h"

#include "helper/phases/compare.h"
#include "helper/phases/make_plan.h"
#include "helper/phases/scan.h"
#include "helper/phases/wal_supply.h"

#include <algorithm>

namespace failback {

namespace {

Error source_behind(Lsn source_end, Lsn target_end)
{
    return Error(ErrorCode::wrong_state, "the source is a standby that is behind the target",
                 format("It has come to %s on the target's own timeline, the target's WAL goes on to %s.", source_end.text().c_str(),
                        target_end.text().c_str()),
                 "The target is unchanged. Let the source catch up, or promote it if what only the target has is to be given up;"
                 " then run the command again.");
}

// By control data alone, where WAL has not been looked at or does not tell.
void check_source_not_behind(const Inspection &inspection)
{
    const SourceState &source = inspection.source_state;
    const ControlFile &target = inspection.target_control;
    // That there is more after the checkpoint record's start is all that is known of a server that was not a standby.
    Lsn at_least = std::max(target.checkpoint() + 1, target.min_recovery_point());
    if (source.in_recovery && source.timeline == target.timeline() && source.current < at_least)
        throw source_behind(source.current, at_least);
}

} // namespace

std::optional<Difference> DifferenceFinder::find(Inspection &inspection, Source &source)
{
    const bool told_to_compare = context_.options.mode == Mode::compare;
    if ((!told_to_compare || may_be_level_) && !compare_) {
        context_.progress.start(Phase::scan);
        WalSupply wal(context_, inspection);
        wal.find_history(context_, inspection);
        ScanOutcome found = scan(context_, inspection, wal.segments(), source);
        found.difference.restored_wal = wal.restored();
        if (found.verdict == ScanOutcome::Verdict::source_behind)
            throw source_behind(found.difference.divergence, found.target_end);
        diverged_ = found.diverged;
        // A standby that has received what it has not replayed yet cannot hold that, but does not lose it either.
        Lsn needed = std::min(found.target_end, inspection.source_state.current);
        if (found.verdict == ScanOutcome::Verdict::no_rewind && !source_has_wal(source, needed, found.reason))
            found.verdict = ScanOutcome::Verdict::unusable;
        if (found.verdict == ScanOutcome::Verdict::no_rewind)
            return std::nullopt;
        if (found.difference.divergence.valid())
            announce_divergence(found.difference);
        if (told_to_compare)
            found.reason = "the target is not level with this source";
        else if (found.verdict == ScanOutcome::Verdict::rewind) {
            announce_checkpoint(found.difference);
            if (source_has_wal(source, wal_needed_from_source(inspection, found.difference), found.reason))
                return std::move(found.difference);
        }
        compare_because(found.reason);
    }
    compare_ = true;
    if (!diverged_)
        check_source_not_behind(inspection);
    try {
        Difference difference = begin_comparing(inspection, source);
        context_.summary.compared = true;
        return difference;
    } catch (const SourcePromoted &) {
        throw; // what is known of it holds for neither way
    } catch (const Error &error) {
        bool source_refuses = error.code() == ErrorCode::wrong_state || error.code() == ErrorCode::internal ||
                              error.code() == ErrorCode::undefined_file;
        if (!wal_would_do_ || !source_refuses)
            throw;
        context_.progress.break_line();
        pg_log_info("going by WAL all the same, because contents cannot be compared: %s", error.what());
        compare_ = false;
        wal_would_do_ = false;
        refusal_ = error.what();
    }
    return find(inspection, source);
}

Difference DifferenceFinder::begin_comparing(Inspection &inspection, Source &source) const
{
    Difference difference;
    if (context_.options.dry_run) {
        // Nothing is fetched that replay would have to repair: no backup is needed, and no checkpoint on the source.
        difference.start = last_completed(inspection.source_control);
        source.hold_wal(difference.start.redo);
        bool makes_backup = context_.options.source_pgdata.empty();
        if (makes_backup && inspection.source_state.in_recovery && !difference.start.full_page_writes)
            context_.summary.warnings.push_back("the source, a standby, will refuse the online backup that comparing needs unless it can make"
                                                " a newer restartpoint: full_page_writes was off on its primary at the last one");
    } else {
        difference.start = begin_comparison(inspection, source);
    }
    return difference;
}

void DifferenceFinder::compare_because(const std::string &reason)
{
    if (context_.options.mode == Mode::wal)
        throw Error(ErrorCode::wrong_state, "the target cannot be brought level by WAL alone: " + reason, "",
                    std::string("Without --mode=wal, the contents of both servers are compared instead.") +
                        (context_.options.restore_target_wal ? "" : " With -c, WAL that the target no longer has comes from the archive."));
    if (insists_on_wal())
        throw Error(ErrorCode::wrong_state,
                    "the target can be brought level neither by WAL, because " + reason + ", nor by comparing contents: " + refusal_, "",
                    "The target is unchanged. Make the source ready for an online backup, or run the command again later.");
    context_.progress.break_line();
    pg_log_info("comparing contents, because %s", reason.c_str());
    compare_ = true;
}

// Held from here on, until the source object goes. False, with the reason, if it is gone already.
bool DifferenceFinder::source_has_wal(Source &source, Lsn from, std::string &reason) const
{
    try {
        source.hold_wal(from);
        return true;
    } catch (const Error &error) {
        if (error.code() != ErrorCode::wrong_state && error.code() != ErrorCode::undefined_file)
            throw;
        reason = error.what();
        return false;
    }
}

// Where the target's own WAL, which it shares with the source, ends to be of use.
Lsn DifferenceFinder::wal_needed_from_source(const Inspection &inspection, const Difference &difference) const
{
    Manifests wal_only;
    wal_only.target = list_wal(context_.target);
    return first_wal_from_source(wal_plan_input(inspection, difference, wal_only, inspection.source_state.current));
}

void DifferenceFinder::announce_divergence(const Difference &found) const
{
    context_.summary.divergence = found.divergence;
    context_.summary.divergence_timeline = found.divergence_timeline;
    context_.progress.break_line();
    pg_log_info("servers diverged at WAL location %s on timeline %u", found.divergence.text().c_str(),
                found.divergence_timeline.value);
}

void DifferenceFinder::announce_checkpoint(const Difference &found) const
{
    context_.summary.checkpoint = found.common.redo;
    context_.summary.checkpoint_timeline = found.common.timeline;
    pg_log_info("rewinding from last common checkpoint at %s on timeline %u", found.common.record.text().c_str(),
                found.common.timeline.value);
}

} // namespace failback
