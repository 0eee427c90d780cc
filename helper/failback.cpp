#include "helper/failback.h"

#include "helper/cluster/target_settings.h"
#include "helper/fetch/fetch.h"
#include "helper/open_source.h"
#include "helper/phases/access_problems.h"
#include "helper/phases/choose_way.h"
#include "helper/phases/compare.h"
#include "helper/phases/completion.h"
#include "helper/phases/find_difference.h"
#include "helper/phases/foreign_wal.h"
#include "helper/phases/low_settings.h"
#include "helper/phases/make_plan.h"
#include "helper/phases/run_report.h"
#include "helper/phases/space.h"
#include "helper/phases/standby_files.h"
#include "helper/phases/transfer.h"
#include "helper/plan/room_to_grow.h"
#include "helper/report/json.h"
#include "helper/report/report_file.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/staging.h"

#include <optional>
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
            failed(error);
        } catch (const std::bad_alloc &) {
            failed(Error(ErrorCode::limit_exceeded, "out of memory"));
        } catch (const std::exception &error) {
            failed(Error(ErrorCode::internal, error.what()));
        }
        report_.finish();
    }

private:
    [[noreturn]] void failed(const Error &first)
    {
        progress_.break_line();
        completion_.after_failure(first);
        Error error = only_looking_ ? with_access_problems(first, target_) : first;
        report_.failed(error);
        throw error;
    }

    void work()
    {
        progress_.start(Phase::inspect);
        examine_staging(target_); // what it cannot read is told with all else
        only_looking_ = false;
        switch (completion_.complete_earlier_run()) {
        case EarlierRun::completed:
            // It may have been another command, for another source; or there has been another failover since.
            pg_log_info("the interrupted run is complete");
            completed_earlier_ = true;
            finder_.accept_level_target();
            break;
        case EarlierRun::unclear:
            finder_.compare_because("a server has been started since an earlier run, perhaps on half of its work");
            break;
        case EarlierRun::none:
            break;
        }
        completion_.begin_staging();
        only_looking_ = true;
        ControlFile target_control = inspect_target(context_);
        OpenedSource opened;
        try {
            opened = open_source(context_);
        } catch (const Error &error) {
            if (!completed_earlier_ || error.code() == ErrorCode::cancelled)
                throw;
            end_without_source(error);
            return;
        }
        server_ = opened.server;
        Source &source = *opened.source;
        Inspection inspection = inspect(context_, std::move(target_control), source);
        while (auto reason = reason_to_begin_again(inspection, source)) {
            // The target is untouched; what was staged is of use where the source still has the same.
            finder_.compare_because(*reason);
            completion_.set_aside_fetched();
        }
    }

    // The interrupted run needed no source to be completed. What this command asks for beside that may need one.
    void end_without_source(const Error &error)
    {
        std::string undone;
        if (options_.write_recovery_conf && !completion_.earlier_wrote_standby_files())
            undone = "-R could not be carried out";
        else if (!options_.slot.empty() && !completion_.earlier_names_slot(options_.slot))
            undone = "whether the slot is there could not be found out";
        if (!undone.empty())
            throw Error(error.code(), format("the interrupted run is complete, but %s: %s", undone.c_str(), error.what()),
                        error.detail(), has_signal_file(target_, {}) ? "Run the command again when the source can be reached."
                        : "Run the command again when the source can be reached. Until then do not start a server on the target: it would be"
                          " a second primary.");
        // Of a server, that it is not there; of a directory, that too, or what it is.
        bool is_away = error.code() == ErrorCode::connection_failure || error.code() == ErrorCode::timed_out ||
                       (!options_.source_pgdata.empty() && (error.code() == ErrorCode::undefined_file || error.code() == ErrorCode::wrong_state));
        if (!is_away)
            throw Error(error.code(), format("the interrupted run is complete, but the source cannot be used: %s", error.what()), error.detail(),
                        error.hint());
        summary_.warnings.push_back(format("the interrupted run is complete, but the source could not be asked whether the target is level"
                                           " with it%s: %s", options_.write_recovery_conf ? " (primary_conninfo is what that run wrote)" : "",
                                           error.what()));
        warn_if_no_standby(context_, {});
        pg_log_info("Done!");
    }

    // Nothing when all is done.
    std::optional<std::string> reason_to_begin_again(Inspection &inspection, Source &source)
    {
        try {
            bring_level(inspection, source);
            return std::nullopt;
        } catch (const NeedsComparison &why) {
            return why.reason;
        }
    }

    void bring_level(Inspection &inspection, Source &source)
    {
        summary_.warnings.clear();
        summary_.files_replaced = summary_.files_changed = summary_.files_removed = summary_.files_kept = summary_.blocks_replaced = 0;
        std::optional<Difference> difference = finder_.find(inspection, source);
        if (!difference) {
            no_rewind_required(inspection);
            return;
        }

        progress_.start(Phase::plan);
        Manifests manifests = read_manifests(context_, inspection, source);
        if (finder_.compares()) {
            progress_.start(Phase::compare);
            difference->blocks = compare_blocks(context_, inspection, manifests, source);
            progress_.start(Phase::plan);
            // It took long: if the source could not keep the WAL, that is better known before anything is fetched.
            source.hold_wal(difference->start.redo);
        }
        Plan plan = make_plan(context_, inspection, *difference, manifests);
        // The WAL to come is not known yet; what there is by now is close enough for the space it takes.
        WalPlanInput wal = wal_plan_input(inspection, *difference, manifests, inspection.source_state.current);
        std::vector<FileAction> wal_actions = plan_wal(wal);
        if (finder_.compares() && options_.explain_mode)
            explain_comparison(context_, plan, wal_actions);
        if (!finder_.compares() && !finder_.insists_on_wal())
            if (auto reason = reason_to_compare(context_, inspection, manifests, plan, wal_actions, source)) {
                finder_.could_go_by_wal();
                throw NeedsComparison{*reason};
            }
        std::vector<std::string> problems = check_standby_to_be(takes_sources_configuration());
        // A comparison has had its connections already.
        if (server_ != nullptr && !finder_.compares())
            problems.push_back(server_->connection_problem(connections_for(plan.bytes_to_fetch, options_.jobs)));
        std::erase(problems, "");
        report_.tell_warnings();
        check_target(plan, wal_actions, problems);
        report_.count(plan);
        if (options_.dry_run) {
            warn_if_no_standby(context_, plan.actions);
            report_.count_dry_run(plan, wal_actions);
            pg_log_info("Done!");
            return;
        }

        only_looking_ = false;
        completion_.begin_fetch();
        progress_.start(Phase::fetch, plan.bytes_to_fetch);
        StagedPlan staged;
        try {
            std::vector<GrowthLimit> growth = plan.growth;
            staged = transfer(context_, inspection, *difference, std::move(plan), manifests, source);
            check_room_to_grow(staged.actions, growth);
            if (options_.write_recovery_conf)
                for (LocalFile &file : standby_files(context_, *server_, takes_sources_configuration()))
                    staged.local_files.push_back(std::move(file));
            check_space_to_apply(target_, staged.actions);
            completion_.flush_what_is_kept();
            reserve_slot();
            completion_.commit_now(staged, inspection.target_control);
        } catch (...) {
            // The run that completes this one does without the source.
            if (!completion_.committed())
                release_slot();
            throw;
        }
        completion_.complete(staged);
        warn_if_no_standby(context_, {});
        pg_log_info("Done!");
    }

    bool takes_sources_configuration() const { return options_.config_files == ConfigFiles::source; }

    // What --config-file, -R and --slot need of both sides: warns of what the DBA can still mend, returns what would end the run.
    std::vector<std::string> check_standby_to_be(bool sources_configuration)
    {
        std::vector<std::string> problems = {missing_config_file(context_)};
        if (options_.write_recovery_conf)
            warn_of_role(context_, *server_);
        if (options_.write_recovery_conf && !sources_configuration)
            problems.push_back(settings_problem(target_));
        if (!options_.slot.empty())
            problems.push_back(server_->slot_problem(options_.slot, options_.create_slot));
        std::erase(problems, "");
        return problems;
    }

    // Throws with all that stands in the way of this plan: what else is wrong with the target does not matter then.
    void check_target(const Plan &plan, const std::vector<FileAction> &wal, const std::vector<std::string> &problems)
    {
        try {
            preflight(context_, plan, wal, problems);
        } catch (const Error &error) {
            only_looking_ = error.code() != ErrorCode::wrong_state;
            throw;
        }
    }

    void reserve_slot()
    {
        if (!options_.slot.empty()) // asks for a server
            server_->reserve_slot(options_.slot, options_.create_slot);
    }

    void release_slot() noexcept
    {
        if (server_ != nullptr)
            server_->release_slot();
    }

    void no_rewind_required(const Inspection &inspection)
    {
        progress_.finish();
        pg_log_info(completed_earlier_ ? "the target is level with the source" : "no rewind required");
        // Nothing is taken from the source here, its configuration neither.
        std::vector<std::string> problems = check_standby_to_be(false);
        warn_of_low_settings(context_, inspection);
        report_.tell_warnings();
        if (options_.write_recovery_conf || !problems.empty())
            check_target({}, {}, problems);
        only_looking_ = false;
        if (!completed_earlier_)
            summary_.outcome = Outcome::no_rewind_required;
        warn_if_no_standby(context_, {});
        if (options_.dry_run) {
            remove_foreign_wal(context_, inspection); // only tells
            return;
        }
        check_not_running(context_);
        check_control_unchanged(context_, inspection.target_control, control_file_path);
        try {
            // First what the source is asked for, as long as nothing has been changed.
            std::vector<LocalFile> files;
            if (options_.write_recovery_conf)
                files = standby_files(context_, *server_, false);
            reserve_slot();
            remove_staging(target_); // what the archive gave
            remove_foreign_wal(context_, inspection);
            for (const LocalFile &file : files)
                target_.write_file(file.path, {reinterpret_cast<const unsigned char *>(file.content.data()), file.content.size()},
                                   !options_.no_sync);
        } catch (...) {
            release_slot();
            throw;
        }
    }

    const Options &options_;
    TargetDirectory target_;
    Progress progress_;
    Summary summary_;
    Context context_;
    DifferenceFinder finder_{context_};
    Completion completion_{context_};
    RunReport report_{context_};
    bool completed_earlier_ = false; // an interrupted run: the target is what that one made of it
    bool only_looking_ = true; // the target is as it was, and what is wrong with its files is yet to be told
    ServerSource *server_ = nullptr; // the source, if it is a server; -R and --slot ask for one
};

} // namespace

void run_failback(const Options &options, const std::string &argv0, const std::string &command_line)
{
    check_report(options.report);
    std::optional<Failback> work;
    try {
        work.emplace(options, argv0, command_line);
    } catch (const Error &error) {
        // The target cannot even be opened, or another run has it.
        Summary summary;
        summary.outcome = Outcome::failed;
        summary.error = error.what();
        write_failure_report(options.report, summary_json(summary));
        throw;
    }
    work->run();
}

} // namespace failback
