#include "helper/phases/verify.h"

#include "helper/cancel.h"
#include "helper/cluster/control_file.h"
#include "helper/phases/inspect.h"
#include "helper/target/check.h"
#include "helper/target/page_check.h"
#include "helper/target/record.h"
#include "helper/target/staging.h"

#include <mutex>

namespace failback {

namespace {

// Logs defects as they are found, by any thread, and counts them.
class DefectLog {
public:
    explicit DefectLog(const Context &context) : context_(context) {}

    std::function<void(Defect &&)> reporter()
    {
        return [this](Defect &&defect) { add(defect); };
    }

    int64_t count() const { return count_; }

private:
    void add(const Defect &defect)
    {
        std::lock_guard lock(mutex_);
        count_++;
        context_.progress.break_line();
        if (defect.length == 0)
            pg_log_error("file \"%s\" %s", defect.path.c_str(), defect.problem.c_str());
        else
            pg_log_error("file \"%s\", bytes %lld to %lld: %s", defect.path.c_str(), static_cast<long long>(defect.offset),
                         static_cast<long long>(defect.offset + defect.length - 1), defect.problem.c_str());
    }

    const Context &context_;
    std::mutex mutex_;
    int64_t count_ = 0;
};

std::string defects_text(int64_t count)
{
    return format("%lld %s found in the target", static_cast<long long>(count), count == 1 ? "defect was" : "defects were");
}

void check_pages_of(const Context &context, const ControlFile &control, uint64_t replay_from, uint64_t replay_to, DefectLog &log)
{
    if (control.data.data_checksum_version == 0) {
        pg_log_info("data checksums are off: pages were not verified");
        return;
    }
    PageCheckOptions options;
    options.replay_from = replay_from;
    options.replay_to = replay_to;
    options.tablespace_directory = format("PG_%s_%u", PG_MAJORVERSION, control.data.catalog_version_no);
    options.threads = context.options.jobs;
    options.progress = [&](int64_t bytes) {
        check_cancelled();
        context.progress.add(bytes);
    };
    context.progress.start(Phase::verify);
    int64_t bytes = check_pages(context.target, options, log.reporter());
    context.progress.break_line();
    pg_log_info("verified the page checksums of %s", size_text(bytes).c_str());
}

int64_t check_fetched(const Context &context, const StagedPlan &plan, DefectLog &log)
{
    context.progress.start(Phase::verify);
    return check_applied(context.target, plan, context.options.jobs, log.reporter(), [&](int64_t bytes) {
        check_cancelled();
        context.progress.add(bytes);
    });
}

ControlFile finished_control(const StagedPlan &plan)
{
    return parse_control_file(plan.control_file, "pg_control of the plan");
}

} // namespace

void verify_applied(const Context &context, const StagedPlan &plan)
{
    DefectLog log(context);
    int64_t bytes = check_fetched(context, plan, log);
    if (log.count() > 0)
        throw Error(ErrorCode::data_corrupted, defects_text(log.count()), "What was written is not what can be read back.",
                    "Run the command again: it writes anew what is still staged. If that does not help, the disk cannot be trusted.");
    context.progress.break_line();
    pg_log_info("verified %s that were fetched", size_text(bytes).c_str());
}

void verify_finished_pages(const Context &context, const StagedPlan &plan)
{
    DefectLog log(context);
    ControlFile control = finished_control(plan);
    check_pages_of(context, control, plan.recovery_start, control.min_recovery_point().value, log);
    if (log.count() > 0)
        throw Error(ErrorCode::data_corrupted, defects_text(log.count()),
                    "The failback itself is complete; these pages were damaged before it.",
                    "Run the command again with --mode=compare: it fetches what differs from the source.");
}

void verify_target(const Context &context)
{
    check_not_running(context);
    if (examine_staging(context.target) == StagingState::committed)
        throw Error(ErrorCode::wrong_state, "an interrupted run has to be completed first", "",
                    "Run pg_failback as before, then verify its result.");
    ControlFile control = inspect_target(context);
    std::optional<StagedPlan> record = read_record(context.target);
    bool untouched = record && context.target.read_file(control_file_path, max_control_bytes) == record->control_file;
    DefectLog log(context);
    if (untouched) {
        int64_t bytes = check_fetched(context, *record, log);
        for (const LocalFile &file : record->local_files) {
            auto content = context.target.read_file(file.path, max_control_bytes);
            if (!content || std::string_view(reinterpret_cast<const char *>(content->data()), content->size()) != file.content)
                log.reporter()({file.path, 0, 0, content ? "is not as it was written" : "is missing"});
        }
        context.progress.break_line();
        pg_log_info("verified %s that were fetched", size_text(bytes).c_str());
        check_pages_of(context, control, record->recovery_start, control.min_recovery_point().value, log);
    } else {
        // As pg_checksums: recovery would mend pages that were torn.
        if (!control.cleanly_shut_down())
            throw Error(ErrorCode::wrong_state, "the target was not shut down cleanly, and no record of a failback fits it", "",
                        "Start it and stop it, then verify its pages.");
        pg_log_warning(record ? "a server has been started since the failback: only page checksums can be verified"
                              : "there is no record of a failback: only page checksums can be verified");
        check_pages_of(context, control, 0, 0, log); // nothing will be replayed
    }
    context.progress.finish();
    if (log.count() > 0)
        throw Error(ErrorCode::data_corrupted, defects_text(log.count()), "",
                    "Run pg_failback with --mode=compare: it fetches what differs from the source.");
    pg_log_info("no defect was found");
}

} // namespace failback
