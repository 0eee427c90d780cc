#include "helper/phases/transfer.h"

#include "common/path_text.h"
#include "helper/cancel.h"
#include "helper/cluster/backup_label.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/staging.h"
#include "helper/wal/replay_check.h"

#include <algorithm>
#include <ctime>
#include <set>
#include <unistd.h>

namespace failback {

namespace {

int64_t bytes_of(const std::vector<FileAction> &actions, size_t first)
{
    int64_t bytes = 0;
    for (size_t i = first; i < actions.size(); i++)
        for (const Extent &extent : actions[i].fetch)
            bytes += extent.length;
    return bytes;
}

class Transfer {
public:
    Transfer(const Context &context, const Inspection &inspection, const Difference &difference, Plan plan,
             const Manifests &manifests, Source &source)
        : context_(context), inspection_(inspection), difference_(difference), manifests_(manifests), source_(source)
    {
        staged_.actions = std::move(plan.actions);
    }

    StagedPlan run()
    {
        create_staging(context_.target, staged_.actions);
        note_actions(context_.target, staged_.actions);
        blaming_wal([&] { fetch_existing_wal(); });
        fetch(0, "blocks", inspection_.target_control.data.blcksz);
        SourceState state = source_.state();
        RecoveryEnd end = source_.recovery_end();
        check_unchanged(state, end);
        // What the target has kept is of WAL before the divergence: recovery has to come as far, or it would be ahead.
        if (difference_.divergence.valid() && end.lsn < difference_.divergence && !end.in_recovery)
            throw Error(ErrorCode::protocol_violation,
                        format("the source says that its WAL ends at %s, which cannot be", end.lsn.text().c_str()));
        if (difference_.divergence.valid() && end.lsn < difference_.divergence)
            throw NeedsComparison{format("the source has replayed WAL only up to %s, which is before the divergence at %s",
                                         end.lsn.text().c_str(), difference_.divergence.text().c_str())};
        blaming_wal([&] {
            fetch_wal(end.lsn);
            check_hazards(prove_wal(end.lsn));
        });

        ControlFile control = parse_control_file(state.control_file, "pg_control of the source");
        staged_.control_file = build_standby_control_file(control, end.lsn, end.timeline);
        staged_.local_files.push_back({"backup_label", label()});
        staged_.recovery_start = difference_.start.redo.value;
        context_.summary.end_of_recovery = end.lsn;
        for (FileAction &action : staged_.actions)
            action.fetch.clear();
        return std::move(staged_);
    }

private:
    // What WAL is to blame for is a reason to compare contents.
    template <typename Work> void blaming_wal(Work work) const
    {
        try {
            work();
        } catch (const Error &error) {
            bool wal_is_to_blame = error.code() == ErrorCode::undefined_file || error.code() == ErrorCode::data_corrupted ||
                                   error.code() == ErrorCode::wrong_state;
            if (wal_is_to_blame && difference_.divergence.valid())
                throw NeedsComparison{error.detail().empty() ? error.what() : std::string(error.what()) + " (" + error.detail() + ")"};
            throw;
        }
    }

    void fetch(size_t first, const char *redo_name, uint32_t take_over_block_size = 0)
    {
        for (StagedRedo &redo : fetch(staged_.actions, first, redo_name, take_over_block_size))
            staged_.redo_files.push_back(std::move(redo));
    }

    std::vector<StagedRedo> fetch(std::vector<FileAction> &actions, size_t first, const char *redo_name, uint32_t take_over_block_size)
    {
        FetchOptions options;
        options.jobs = context_.options.jobs;
        options.sync = !context_.options.no_sync;
        options.redo_name = redo_name;
        options.block_size = take_over_block_size;
        options.progress = [this](int64_t bytes) { context_.progress.add(bytes); };
        FetchResult result = fetch_actions(source_, context_.target, actions, first, options);
        context_.summary.bytes_fetched += result.bytes_fetched;
        context_.summary.bytes_received += result.bytes_received;
        context_.summary.bytes_staged += result.bytes_staged;
        context_.summary.bytes_taken_over += result.bytes_taken_over;
        if (result.bytes_taken_over > 0) {
            context_.progress.break_line();
            pg_log_info("took over %s that an interrupted run had staged", size_text(result.bytes_taken_over).c_str());
        }
        return std::move(result.redo_files);
    }

    // What was copied is of one timeline only as long as the source stayed what it was.
    void check_unchanged(const SourceState &state, const RecoveryEnd &end) const
    {
        const SourceState &before = inspection_.source_state;
        if (state.in_recovery == before.in_recovery && end.in_recovery == before.in_recovery &&
            state.timeline == before.timeline && end.timeline == before.timeline)
            return;
        throw Error(ErrorCode::wrong_state, "the source was promoted or restarted as another server while it was being copied",
                    format("It was on timeline %u and is on timeline %u now.", before.timeline.value, end.timeline.value),
                    "The target is unchanged. Run the command again.");
    }

    WalPlanInput wal_input(Lsn end) const
    {
        WalPlanInput input = wal_plan_input(inspection_, difference_, manifests_, end);
        input.fetched = fetched_wal_;
        return input;
    }

    // Segments that are complete by now come first, and the source need not keep them any longer: a checkpoint that was under
    // way when we had it hold its WAL may remove them at its end all the same. 15.14, 17.6 and their later minors settle what
    // is kept when a checkpoint begins, and just after a promotion one takes minutes.
    void fetch_existing_wal()
    {
        std::vector<FileAction> segments;
        for (FileAction &action : plan_wal(wal_input(inspection_.source_state.current)))
            if (!action.fetch.empty() && action.fetch[0].length == inspection_.segment_size)
                segments.push_back(std::move(action));
        if (segments.empty())
            return;
        context_.progress.set_total(bytes_of(staged_.actions, 0) + bytes_of(segments, 0));
        remove_staged(segments, 0);
        // From here on they are like those that the archive gave: the fetch of all WAL notes their checksums in the plan.
        for (const StagedRedo &redo : fetch(segments, 0, "existing_wal", 0))
            context_.target.remove_file(redo.path);
        for (const FileAction &segment : segments) {
            check_segment(segment);
            fetched_wal_.emplace(last_part(segment.path));
        }
        source_.hold_wal(first_wal_from_source(wal_input(inspection_.source_state.current)));
    }

    // What the archive gave under the name of a segment that is fetched is the target's own WAL; it must not show through.
    void remove_staged(const std::vector<FileAction> &actions, size_t first) const
    {
        for (size_t i = first; i < actions.size(); i++)
            if (!actions[i].fetch.empty() && actions[i].staging == StagingKind::whole_file)
                context_.target.remove_file(staged_file_path(actions[i], i));
    }

    void check_segment(const FileAction &action) const
    {
        bool gone = action.kind == FileActionKind::remove;
        if (gone || (action.staging == StagingKind::whole_file && action.size != inspection_.segment_size))
            throw Error(ErrorCode::undefined_file,
                        format("WAL segment \"%s\", which recovery needs, %s on the source", action.path.c_str(),
                               gone ? "is gone" : "is incomplete"),
                        "The target does not have it either.",
                        "The target is unchanged. Run the command again; if this happens again, raise wal_keep_size and"
                        " max_slot_wal_keep_size on the source meanwhile.");
    }

    void fetch_wal(Lsn end)
    {
        std::vector<FileAction> wal = plan_wal(wal_input(end));
        size_t first = staged_.actions.size();
        staged_.actions.insert(staged_.actions.end(), std::make_move_iterator(wal.begin()), std::make_move_iterator(wal.end()));
        context_.progress.set_total(context_.summary.bytes_fetched + bytes_of(staged_.actions, first));
        remove_staged(staged_.actions, first);
        std::vector<FileActionKind> kinds;
        for (size_t i = first; i < staged_.actions.size(); i++)
            kinds.push_back(staged_.actions[i].kind);
        fetch(first, "wal");
        for (size_t i = first; i < staged_.actions.size(); i++)
            if (kinds[i - first] != FileActionKind::remove)
                check_segment(staged_.actions[i]);
    }

    // Reads it all as recovery will: from the start to the end, across the timelines, with every record checked.
    ReplayCheck prove_wal(Lsn end) const
    {
        std::vector<std::unique_ptr<SegmentProvider>> places;
        places.push_back(make_directory_provider(context_.target.absolute(staging_directory("pg_wal/")), inspection_.segment_size));
        places.push_back(make_directory_provider(context_.target.absolute("pg_wal"), inspection_.segment_size));
        auto wal = make_chained_provider(std::move(places));
        ReplayCheckOptions options;
        options.history = &inspection_.source_history;
        options.segment_size = inspection_.segment_size;
        options.system_identifier = inspection_.source_control.data.system_identifier;
        options.start = difference_.start.redo;
        options.end = end;
        options.tick = [] { check_cancelled(); };
        return check_replay(*wal, options);
    }

    // Replay must not undo what was copied.
    void check_hazards(ReplayCheck check) const
    {
        for (const TablespaceCreation &creation : check.tablespaces) {
            std::string path = format("pg_tblspc/%u", creation.oid);
            std::string here = location_on_target(path);
            if (!creation.location.empty() && here.empty() && ::access(creation.location.c_str(), F_OK) != 0)
                context_.summary.warnings.push_back(format(
                    "tablespace %u was created on the source meanwhile: make directory \"%s\" before the server is started",
                    creation.oid, shown_path(creation.location).c_str()));
            if (!creation.location.empty() && !here.empty() && here != creation.location)
                check.hazards.push_back(format("the record at %s puts tablespace %u at \"%s\", not at \"%s\"",
                                               creation.at.text().c_str(), creation.oid, shown_path(creation.location).c_str(), here.c_str()));
        }
        if (!check.hazards.empty())
            throw Error(ErrorCode::wrong_state, "replay of the source's WAL would not give what the source has: " + check.hazards.front(),
                        "", "The target is unchanged. Run the command again, after this work on the source has ended.");
    }

    // Where the standby will have the tablespace; empty if it has none, or one in place.
    std::string location_on_target(const std::string &path) const
    {
        for (const std::vector<FileEntry> *entries : {&manifests_.target, &manifests_.source}) {
            auto found = std::lower_bound(entries->begin(), entries->end(), path,
                                          [](const FileEntry &entry, const std::string &p) { return entry.path < p; });
            if (found != entries->end() && found->path == path)
                return found->link_target;
        }
        return "";
    }

    std::string label() const
    {
        BackupLabel label;
        label.redo = difference_.start.redo;
        label.checkpoint = difference_.start.record;
        label.timeline = difference_.start.timeline;
        label.start_time = std::time(nullptr);
        return backup_label_text(label, inspection_.segment_size);
    }

    const Context &context_;
    const Inspection &inspection_;
    const Difference &difference_;
    const Manifests &manifests_;
    Source &source_;
    StagedPlan staged_;
    std::set<std::string> fetched_wal_; // segments in staging that are as the source has them
};

} // namespace

StagedPlan transfer(const Context &context, const Inspection &inspection, const Difference &difference, Plan plan,
                    const Manifests &manifests, Source &source)
{
    return Transfer(context, inspection, difference, std::move(plan), manifests, source).run();
}

} // namespace failback
