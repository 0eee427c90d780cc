#include "helper/failback.h"

#include "helper/cancel.h"
#include "helper/cluster/target_settings.h"
#include "helper/phases/compare.h"
#include "helper/phases/make_plan.h"
#include "helper/phases/scan.h"
#include "helper/phases/transfer.h"
#include "helper/phases/wal_supply.h"
#include "helper/report/json.h"
#include "helper/source/local_source.h"
#include "helper/source/server_source.h"
#include "helper/standby/recovery_config.h"
#include "helper/target/apply.h"
#include "helper/target/staging.h"

#include <sys/resource.h>
#include <unistd.h>

namespace failback {

namespace {

class Failback {
public:
    Failback(const Options &options, const std::string &argv0, const std::string &command_line)
        : options_(options),
          target_(options.target_pgdata,
                  options.dry_run ? TargetDirectory::Access::read_only : TargetDirectory::Access::read_write),
          progress_(options.progress, stderr, ::isatty(STDERR_FILENO) != 0),
          context_{options_, find_postgres_program(argv0.c_str()), command_line, target_, progress_, summary_}
    {
    }

    void run()
    {
        try {
            work();
        } catch (const Error &error) {
            progress_.break_line();
            if (staging_is_ours_)
                clear_staging();
            if (committed_)
                pg_log_warning("the target cannot be started until this command is run again and completes");
            else if (error.code() == ErrorCode::cancelled)
                pg_log_warning("the target is unchanged");
            summary_.outcome = Outcome::failed;
            summary_.error = error.what();
            report();
            throw;
        }
        report();
    }

private:
    void work()
    {
        progress_.start(Phase::inspect);
        if (complete_earlier_run())
            return;
        staging_is_ours_ = !options_.dry_run;
        ControlFile target_control = inspect_target(context_);
        std::unique_ptr<Source> source = open_source();
        Inspection inspection = inspect(context_, std::move(target_control), *source);
        try {
            bring_level(inspection, *source);
        } catch (const NeedsComparison &why) {
            // The target is untouched; what was staged is fetched again from a checkpoint that comes later.
            compare_because(why.reason);
            remove_staging(target_);
            bring_level(inspection, *source);
        }
    }

    void bring_level(Inspection &inspection, Source &source)
    {
        summary_.warnings.clear();
        std::optional<Difference> difference = find_difference(inspection, source);
        if (!difference) {
            no_rewind_required();
            return;
        }

        progress_.start(Phase::plan);
        Manifests manifests = read_manifests(context_, inspection, source);
        if (compare_) {
            progress_.start(Phase::compare);
            difference->blocks = compare_blocks(context_, inspection, manifests, source);
            progress_.start(Phase::plan);
        }
        Plan plan = make_plan(context_, inspection, *difference, manifests);
        // The WAL to come is not known yet; what there is by now is close enough for the space it takes.
        WalPlanInput wal = wal_plan_input(inspection, *difference, manifests, inspection.source_state.current);
        std::vector<FileAction> wal_actions = plan_wal(wal);
        preflight(context_, plan, wal_actions);
        count(plan);
        if (options_.dry_run) {
            end_dry_run(plan, wal_actions);
            return;
        }

        progress_.start(Phase::fetch, plan.bytes_to_fetch);
        StagedPlan staged;
        try {
            reserve_slot();
            staged = transfer(context_, inspection, *difference, std::move(plan), manifests, source);
            if (options_.write_recovery_conf)
                add_recovery_config(staged);
            commit_now(staged);
        } catch (...) {
            if (server_ != nullptr)
                server_->release_slot();
            throw;
        }
        complete(staged);
        pg_log_info("Done!");
    }

    // After a failure before the commit: nothing of ours stays. What cannot be removed now the next run removes.
    void clear_staging() noexcept
    {
        try {
            remove_staging(target_);
        } catch (const std::exception &error) {
            pg_log_warning("could not remove \"%s\": %s", staging_name, error.what());
        }
    }

    void compare_because(const std::string &reason)
    {
        if (options_.mode == Mode::wal)
            throw Error(ErrorCode::wrong_state, "the target cannot be brought level by WAL alone: " + reason, "",
                        "Without --mode=wal, the contents of both servers are compared instead.");
        progress_.break_line();
        pg_log_info("comparing contents, because %s", reason.c_str());
        compare_ = true;
    }

    // By the target's WAL where it can be trusted, else (or when told) by content. Nothing if no rewind is required.
    std::optional<Difference> find_difference(Inspection &inspection, Source &source)
    {
        if (options_.mode != Mode::compare && !compare_) {
            progress_.start(Phase::scan);
            WalSupply wal(context_, inspection.segment_size);
            wal.find_history(context_, inspection);
            ScanOutcome found = scan(context_, inspection, wal.segments(), source);
            found.difference.restored_wal = wal.restored();
            if (found.verdict == ScanOutcome::Verdict::no_rewind && !source_has_wal(source, found.target_end, found.reason))
                found.verdict = ScanOutcome::Verdict::unusable;
            if (found.verdict == ScanOutcome::Verdict::no_rewind)
                return std::nullopt;
            if (found.difference.divergence.valid())
                announce_divergence(found.difference);
            if (found.verdict == ScanOutcome::Verdict::rewind) {
                announce_checkpoint(found.difference);
                if (source_has_wal(source, wal_needed_from_source(inspection, found.difference), found.reason))
                    return std::move(found.difference);
            }
            compare_because(found.reason);
        }
        compare_ = true;
        context_.summary.compared = true;
        Difference difference;
        difference.start = begin_comparison(inspection, source);
        return difference;
    }

    // Held from here on, until the source object goes. False, with the reason, if it is gone already.
    bool source_has_wal(Source &source, Lsn from, std::string &reason)
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
    Lsn wal_needed_from_source(const Inspection &inspection, const Difference &difference) const
    {
        Manifests wal_only;
        wal_only.target = list_wal(target_);
        return first_wal_from_source(wal_plan_input(inspection, difference, wal_only, inspection.source_state.current));
    }

    void refuse_running_server() const { check_not_running(context_); }

    // Rolls forward what an earlier run has committed, or clears away what it left before its commit.
    bool complete_earlier_run()
    {
        StagingState state = examine_staging(target_);
        if (state == StagingState::none || (state == StagingState::abandoned && options_.dry_run))
            return false;
        refuse_running_server();
        if (state == StagingState::unclear) {
            compare_because("a server has been started since an earlier run, perhaps on half of its work");
            if (options_.dry_run)
                return false;
        }
        if (state != StagingState::committed) {
            pg_log_info("removing what an interrupted run has left in \"%s\"", staging_name);
            remove_staging(target_);
            return false;
        }
        if (options_.dry_run)
            throw Error(ErrorCode::wrong_state, "an interrupted run has to be completed first", "",
                        "Run the command without --dry-run.");
        pg_log_info("completing the run that was interrupted after its commit");
        committed_ = true;
        StagedPlan staged = read_staged_plan(target_);
        check_staged(target_, staged);
        complete(staged);
        pg_log_info("Done!");
        return true;
    }

    std::unique_ptr<Source> open_source()
    {
        if (!options_.source_pgdata.empty())
            return std::make_unique<LocalSource>(options_.source_pgdata, options_.target_pgdata);
        auto server = std::make_unique<ServerSource>(source_options());
        server_ = server.get();
        return server;
    }

    void reserve_slot()
    {
        if (!options_.slot.empty()) // asks for a server
            server_->reserve_slot(options_.slot, options_.create_slot);
    }

    ServerSourceOptions source_options() const
    {
        ServerSourceOptions source;
        source.connection.conninfo = options_.source_server;
        source.connection.timeout_seconds = options_.timeout_seconds;
        if (options_.max_rate > 0)
            source.rate_limiter = std::make_shared<RateLimiter>(options_.max_rate);
        source.compression = options_.compression;
        source.compression_level = options_.compression_level;
        return source;
    }

    void announce_divergence(const Difference &found)
    {
        summary_.divergence = found.divergence;
        summary_.divergence_timeline = found.divergence_timeline;
        progress_.break_line();
        pg_log_info("servers diverged at WAL location %s on timeline %u", found.divergence.text().c_str(),
                    found.divergence_timeline.value);
    }

    void announce_checkpoint(const Difference &found)
    {
        summary_.checkpoint = found.common.redo;
        summary_.checkpoint_timeline = found.common.timeline;
        pg_log_info("rewinding from last common checkpoint at %s on timeline %u", found.common.record.text().c_str(),
                    found.common.timeline.value);
    }

    void no_rewind_required()
    {
        progress_.finish();
        pg_log_info("no rewind required");
        summary_.outcome = Outcome::no_rewind_required;
        if (!options_.dry_run)
            remove_staging(target_); // what the archive gave
        if (!options_.write_recovery_conf || options_.dry_run)
            return;
        reserve_slot();
        StagedPlan settings;
        add_recovery_config(settings);
        for (const LocalFile &file : settings.local_files)
            target_.write_file(file.path, {reinterpret_cast<const unsigned char *>(file.content.data()), file.content.size()},
                               !options_.no_sync);
    }

    void add_recovery_config(StagedPlan &staged)
    {
        ServerSource &source = *server_; // -R asks for one
        if (!source.may_replicate())
            summary_.warnings.push_back(format("role \"%s\" may not stream WAL, but primary_conninfo will name it;"
                                               " on the source, run ALTER ROLE ... REPLICATION or name another role in primary_conninfo",
                                               source.user().c_str()));
        RecoverySettings settings;
        settings.connection_lines = connection_lines(source.connection(), options_.slot, options_.source_server);
        settings.restore_command = options_.restore_command;
        std::string current;
        constexpr int64_t limit = 16 * 1024 * 1024;
        std::optional<std::vector<unsigned char>> content;
        // After "no rewind required" nothing is taken from the source, its configuration neither.
        if (options_.config_files == ConfigFiles::source && !staged.actions.empty())
            content = read_whole_file(*source.open_reader(), recovery_config_path, limit);
        else
            content = target_.read_file(recovery_config_path, limit);
        if (content)
            current.assign(content->begin(), content->end());
        staged.local_files.push_back({recovery_config_path, recovery_config(current, settings)});
        staged.local_files.push_back({standby_signal_path, ""});
    }

    void commit_now(const StagedPlan &staged)
    {
        // A server may have been started on the target while we were copying, or be started right now: it finds
        // pg_control before the commit, and then we find it after the commit.
        refuse_running_server();
        staging_is_ours_ = false;
        try {
            commit(target_, staged, context_.command_line, !options_.no_sync);
            try {
                refuse_running_server();
            } catch (const Error &) {
                target_.rename(moved_control_path, control_file_path);
                throw;
            }
        } catch (...) {
            committed_ = control_file_is_aside();
            staging_is_ours_ = !committed_;
            throw;
        }
        committed_ = true;
    }

    // Asked after a failure; true also if that cannot be found out: then the next run is to look.
    bool control_file_is_aside() const noexcept
    {
        try {
            return !target_.exists(control_file_path);
        } catch (const std::exception &) {
            return true;
        }
    }

    void complete(const StagedPlan &staged)
    {
        SyncKind sync = options_.no_sync                               ? SyncKind::none
                        : options_.sync_method == SyncMethod::syncfs ? SyncKind::syncfs
                                                                       : SyncKind::fsync;
        progress_.start(Phase::apply);
        ApplyOptions apply_options;
        apply_options.sync = sync;
        apply_options.threads = options_.jobs;
        apply_options.progress = [this](int64_t bytes) {
            check_cancelled();
            progress_.add(bytes);
        };
        apply(target_, staged, apply_options);
        progress_.start(Phase::finish);
        try {
            finish(target_, staged, sync);
        } catch (const Error &) {
            committed_ = control_file_is_aside();
            if (!committed_)
                pg_log_warning("the target is complete, but \"%s\" could not be removed", staging_name);
            throw;
        }
        committed_ = false;
        progress_.finish();
    }

    void count(const Plan &plan)
    {
        for (const FileAction &action : plan.actions) {
            summary_.files_replaced += action.kind == FileActionKind::replace;
            summary_.files_changed += action.kind == FileActionKind::patch;
            summary_.files_removed += action.kind == FileActionKind::remove && action.file_kind == FileKind::regular;
        }
        summary_.files_kept = plan.files_kept;
        summary_.blocks_replaced = plan.blocks_to_fetch;
        progress_.break_line();
        pg_log_info("need to copy %s (total source directory size is %s)", size_text(plan.bytes_to_fetch).c_str(),
                    size_text(plan.source_bytes).c_str());
    }

    void end_dry_run(const Plan &plan, const std::vector<FileAction> &wal)
    {
        progress_.finish();
        summary_.outcome = Outcome::dry_run;
        summary_.bytes_fetched = plan.bytes_to_fetch;
        for (const FileAction &action : wal)
            for (const Extent &extent : action.fetch)
                summary_.bytes_fetched += extent.length;
        if (options_.debug)
            for (const FileAction &action : plan.actions)
                pg_log_debug("%s: %s", action.path.c_str(), action.kind == FileActionKind::remove ? "remove"
                             : action.kind == FileActionKind::patch ? "change" : "create or replace");
        pg_log_info("Done!");
    }

    void report()
    {
        struct rusage usage;
        if (::getrusage(RUSAGE_SELF, &usage) == 0)
            summary_.peak_memory_bytes = int64_t{usage.ru_maxrss} * 1024;
        take_times(summary_, progress_);
        for (const std::string &warning : summary_.warnings)
            pg_log_warning("%s", warning.c_str());
        if (summary_.outcome != Outcome::failed)
            log_summary(summary_);
        if (!options_.report.empty())
            write_report(options_.report, summary_json(summary_));
    }

    const Options &options_;
    TargetDirectory target_;
    Progress progress_;
    Summary summary_;
    Context context_;
    bool committed_ = false;
    bool staging_is_ours_ = false; // made by this run, before its commit
    bool compare_ = false; // by content, not by WAL
    ServerSource *server_ = nullptr; // the source, if it is a server
};

} // namespace

void run_failback(const Options &options, const std::string &argv0, const std::string &command_line)
{
    Failback(options, argv0, command_line).run();
}

} // namespace failback
