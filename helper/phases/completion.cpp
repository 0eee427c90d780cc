#include "helper/phases/completion.h"

#include "helper/cancel.h"
#include "helper/phases/finish_manifest.h"
#include "helper/phases/inspect.h"
#include "helper/phases/verify.h"
#include "helper/standby/recovery_config.h"
#include "helper/target/apply.h"
#include "helper/target/backup_manifest.h"
#include "helper/target/check.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/record.h"
#include "helper/target/staging.h"

namespace failback {

EarlierRun Completion::complete_earlier_run()
{
    StagingState state = examine_staging(context_.target);
    if (state == StagingState::none || (state == StagingState::abandoned && context_.options.dry_run))
        return EarlierRun::none;
    check_not_running(context_);
    EarlierRun cleared = state == StagingState::unclear ? EarlierRun::unclear : EarlierRun::none;
    if (state == StagingState::unclear && context_.options.dry_run)
        return cleared;
    unclear_ = state == StagingState::unclear;
    if (state != StagingState::committed) {
        // If that run was done, its last rename must be on disk before what it would be repeated from goes.
        if (!context_.options.no_sync)
            context_.target.sync_parent(control_file_path);
        // What a run has staged that was interrupted before its commit, this one looks through.
        if (unclear_)
            remove_staging_but_mark(context_.target);
        else
            set_aside_staging(context_.target);
        return cleared;
    }
    if (context_.options.dry_run)
        throw Error(ErrorCode::wrong_state, "an interrupted run has to be completed first", "",
                    "Run the command without --dry-run.");
    pg_log_info("completing the run that was interrupted after its commit");
    committed_ = true;
    StagedPlan staged = read_staged_plan(context_.target);
    for (const LocalFile &file : staged.local_files)
        if (file.path == recovery_config_path)
            earlier_settings_ = file.content;
    check_staged(context_.target, staged, context_.options.jobs, [](int64_t) { check_cancelled(); });
    take_control_away();
    complete(staged);
    finished_ = false; // what comes now is another run
    return EarlierRun::completed;
}

bool Completion::earlier_names_slot(const std::string &slot) const
{
    return ("\n" + earlier_settings_).find("\nprimary_slot_name = " + quote_setting(slot) + "\n") != std::string::npos;
}

void Completion::flush_what_is_kept() const
{
    // pg_control does not tell: a standby that was stopped in an orderly way flushes nothing if there was no new checkpoint to
    // end at, and the directory may be a fresh copy.
    if (context_.summary.compared && !context_.options.no_sync)
        sync_filesystems(context_.target);
}

void Completion::commit_now(const StagedPlan &staged, const ControlFile &inspected)
{
    // A server may have been started on the target while we were copying, or be started right now: it finds
    // pg_control before the commit, and then we find it after the commit.
    check_not_running(context_);
    check_control_unchanged(context_, inspected, control_file_path);
    staging_is_ours_ = false;
    try {
        commit(context_.target, staged, context_.command_line, !context_.options.no_sync);
        try {
            check_not_running(context_);
            check_control_unchanged(context_, inspected, moved_control_path);
        } catch (const Error &) {
            put_control_back();
            throw;
        }
    } catch (...) {
        committed_ = control_file_is_aside();
        staging_is_ours_ = !committed_;
        throw;
    }
    committed_ = true;
}

// Of a target whose pg_control was put back by hand: a server may have been started on it since we looked.
void Completion::take_control_away()
{
    if (!context_.target.exists(control_file_path))
        return;
    context_.target.rename(control_file_path, moved_control_path);
    try {
        check_not_running(context_);
    } catch (const Error &) {
        put_control_back();
        throw;
    }
    // Half of the work must not be found with a pg_control beside it.
    if (!context_.options.no_sync) {
        context_.target.sync_parent(moved_control_path);
        context_.target.sync_parent(control_file_path);
    }
}

// On disk before anything goes that a run without pg_control would need.
void Completion::put_control_back()
{
    context_.target.rename(moved_control_path, control_file_path);
    if (!context_.options.no_sync)
        context_.target.sync_parent(control_file_path);
}

// What the target can do without: a failure leaves no half of it, and does not keep pg_control away.
bool Completion::leave_beside(const char *what, const std::function<void()> &write, const std::function<void()> &remove)
{
    try {
        write();
        return true;
    } catch (const Error &error) {
        if (error.code() == ErrorCode::cancelled)
            throw;
        context_.progress.break_line();
        pg_log_warning("could not write %s: %s", what, error.what());
        try {
            remove();
        } catch (const Error &) { // a half of it is no reason either
        }
        return false;
    }
}

void Completion::complete(const StagedPlan &staged)
{
    const Options &options = context_.options;
    SyncKind sync = options.sync_method == SyncMethod::syncfs ? SyncKind::syncfs : SyncKind::fsync;
    if (options.no_sync)
        sync = SyncKind::none;
    context_.progress.start(Phase::apply);
    ApplyOptions apply_options;
    apply_options.sync = sync;
    apply_options.threads = context_.options.jobs;
    apply_options.progress = [this](int64_t bytes) {
        check_cancelled();
        context_.progress.add(bytes);
    };
    apply(context_.target, staged, apply_options);
    if (options.verify)
        verify_applied(context_, staged);
    context_.progress.start(Phase::finish);
    bool manifest_written = true;
    try {
        finish(context_.target, staged, sync, [&] {
            leave_beside("the record for \"verify\"",
                         [&] { write_record(context_.target, staged, sync != SyncKind::none); },
                         [&] { remove_record(context_.target); });
            if (!options.manifest_checksums.empty())
                manifest_written = leave_beside("backup_manifest",
                                                [&] { write_manifest_of_result(context_, staged); },
                                                [&] { context_.target.remove_file(backup_manifest_path); });
        });
    } catch (const Error &) {
        committed_ = control_file_is_aside();
        if (!committed_)
            pg_log_warning("the target is complete, but \"%s\" could not be removed", staging_name);
        throw;
    }
    committed_ = false;
    finished_ = true;
    if (options.verify)
        verify_finished_pages(context_, staged);
    context_.progress.finish();
    if (!manifest_written)
        throw Error(ErrorCode::io_error, "the target is complete, but has no backup_manifest");
}

void Completion::after_failure(const Error &error) noexcept
{
    // What has arrived is of use to the next run if only the connection or somebody's patience came to an end.
    bool worth_keeping = !fetching_ || error.code() == ErrorCode::connection_failure || error.code() == ErrorCode::timed_out ||
                         error.code() == ErrorCode::cancelled;
    bool kept = staging_is_ours_ && !unclear_ && worth_keeping && something_is_staged();
    if (staging_is_ours_ && (!kept || !fetching_))
        clear_staging(kept);
    if (committed_)
        pg_log_warning("the target cannot be started until this command is run again and completes");
    else if (kept)
        pg_log_warning("the target is unchanged; the next run uses what was fetched so far, which stays in \"%s\"", staging_name);
    else if (error.code() == ErrorCode::cancelled && finished_)
        pg_log_warning("the target is complete, but has not been verified");
    else if (error.code() == ErrorCode::cancelled)
        pg_log_warning("the target is unchanged");
}

void Completion::set_aside_fetched()
{
    if (context_.options.dry_run)
        return;
    set_aside_staging(context_.target);
    fetching_ = false;
}

// After a failure before the commit: nothing of ours stays, but what the next run can take over if so asked. What cannot be
// removed now the next run removes.
void Completion::clear_staging(bool but_fetched) noexcept
{
    try {
        if (but_fetched)
            set_aside_staging(context_.target);
        else if (unclear_)
            remove_staging_but_mark(context_.target);
        else
            remove_staging(context_.target);
    } catch (const std::exception &error) {
        pg_log_warning("could not remove \"%s\": %s", staging_name, error.what());
    }
}

bool Completion::something_is_staged() const noexcept
{
    try {
        return can_be_taken_over(context_.target);
    } catch (const std::exception &) {
        return false;
    }
}

// Asked after a failure; true also if that cannot be found out: then the next run is to look.
bool Completion::control_file_is_aside() const noexcept
{
    try {
        return !context_.target.exists(control_file_path);
    } catch (const std::exception &) {
        return true;
    }
}

} // namespace failback
