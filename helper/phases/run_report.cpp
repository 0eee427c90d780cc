#include "helper/phases/run_report.h"

#include "helper/pg_frontend.h"
#include "helper/report/json.h"
#include "helper/report/report_file.h"

#include <algorithm>
#include <sys/resource.h>

namespace failback {

void RunReport::count(const Plan &plan)
{
    auto actions = [&plan](auto fits) { return std::count_if(plan.actions.begin(), plan.actions.end(), fits); };
    Summary &summary = context_.summary;
    summary.files_replaced = actions([](const FileAction &action) { return action.kind == FileActionKind::replace; });
    summary.files_changed = actions([](const FileAction &action) { return action.kind == FileActionKind::patch; });
    summary.files_removed = actions(
        [](const FileAction &action) { return action.kind == FileActionKind::remove && action.file_kind == FileKind::regular; });
    summary.files_kept = plan.files_kept;
    summary.blocks_replaced = plan.blocks_to_fetch;
    context_.progress.break_line();
    pg_log_info("need to copy %s (total source directory size is %s)", size_text(plan.bytes_to_fetch).c_str(),
                size_text(plan.source_bytes).c_str());
}

void RunReport::count_dry_run(const Plan &plan, const std::vector<FileAction> &wal)
{
    context_.progress.finish();
    Summary &summary = context_.summary;
    summary.outcome = Outcome::dry_run;
    summary.bytes_fetched = plan.bytes_to_fetch;
    for (const FileAction &action : wal)
        for (const Extent &extent : action.fetch)
            summary.bytes_fetched += extent.length;
    if (context_.options.debug)
        for (const FileAction &action : plan.actions)
            pg_log_debug("%s: %s", action.path.c_str(), action.kind == FileActionKind::remove ? "remove"
                         : action.kind == FileActionKind::patch ? "change" : "create or replace");
}

void RunReport::tell_warnings()
{
    context_.progress.break_line();
    for (const std::string &warning : context_.summary.warnings)
        if (told_.insert(warning).second)
            pg_log_warning("%s", warning.c_str());
}

void RunReport::finish()
{
    summarize();
    log_summary(context_.summary);
    if (context_.options.report.empty())
        return;
    try {
        write_report(context_.options.report, summary_json(context_.summary));
    } catch (const Error &error) {
        if (context_.summary.outcome != Outcome::done)
            throw;
        throw Error(error.code(), format("the target is complete, but the report was not written: %s", error.what()));
    }
}

void RunReport::failed(const Error &error)
{
    context_.summary.outcome = Outcome::failed;
    context_.summary.error = error.what();
    summarize();
    write_failure_report(context_.options.report, summary_json(context_.summary));
}

void RunReport::summarize()
{
    struct rusage usage;
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
        context_.summary.peak_memory_bytes = int64_t{usage.ru_maxrss} * 1024;
    take_times(context_.summary, context_.progress);
    tell_warnings();
}

} // namespace failback
