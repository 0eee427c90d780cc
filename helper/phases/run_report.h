// What a run tells while it goes on and when it has ended, in its log and to --report.
#pragma once

#include "common/error.h"
#include "helper/phases/context.h"
#include "helper/plan/plan.h"

#include <set>
#include <string>
#include <vector>

namespace failback {

class RunReport {
public:
    explicit RunReport(const Context &context) : context_(context) {}

    // What the plan comes to; may be called again, when the work begins again.
    void count(const Plan &plan);
    // The outcome is that of a dry run.
    void count_dry_run(const Plan &plan, const std::vector<FileAction> &wal);

    // Those that have come since: before anything is changed, and at the end. Each once, also when the work begins again to compare.
    void tell_warnings();

    // The end of a run: the summary, and the report if there is to be one. Throws Error if that cannot be written.
    void finish();
    // The same of one that has failed; never throws for the report.
    void failed(const Error &error);

private:
    void summarize();

    const Context &context_;
    std::set<std::string> told_; // warnings
};

} // namespace failback
