#include "helper/diff.h"

#include "helper/cluster/target_settings.h"
#include "helper/open_source.h"
#include "helper/phases/compare.h"
#include "helper/phases/inspect.h"
#include "helper/phases/manifests.h"
#include "helper/report/difference_report.h"
#include "helper/report/report_file.h"
#include "helper/target/staging.h"

#include <cerrno>
#include <optional>
#include <unistd.h>

namespace failback {

namespace {

class Diff {
public:
    Diff(const Options &options, const std::string &argv0)
        : options_(options), target_(options.target_pgdata, TargetDirectory::Access::read_only),
          progress_(options.progress, stderr, ::isatty(STDERR_FILENO) != 0),
          context_{options_, find_postgres_program(argv0.c_str()), "", target_, progress_, summary_}
    {
    }

    void run()
    {
        try {
            compare();
        } catch (const Error &error) {
            progress_.break_line();
            found_.error = error.what();
            write_failure_report(options_.report, report());
            throw;
        }
        progress_.finish();
        for (const std::string &warning : found_.warnings)
            pg_log_warning("%s", warning.c_str());
        // A report on stdout is for a program: nothing else may come between.
        if (options_.report != "-") {
            std::string text = difference_text(found_);
            if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
                throw io_error("write", "standard output", errno);
        }
        if (!options_.report.empty())
            write_report(options_.report, report());
    }

private:
    void compare()
    {
        progress_.start(Phase::inspect);
        check_not_running(context_);
        if (examine_staging(target_) == StagingState::committed)
            throw Error(ErrorCode::wrong_state, "an interrupted run has to be completed first", "",
                        "The target is half of what it was and half of what it is to be. Run that command again.");
        ControlFile target_control = inspect_target(context_);
        auto [opened, server] = open_source(context_);
        server_ = server;
        Source &source = *opened;
        Inspection inspection = inspect_formats(std::move(target_control), source);

        progress_.start(Phase::plan);
        Manifests manifests = read_manifests(context_, inspection, source);
        progress_.start(Phase::compare);
        BlockMap blocks = compare_blocks(context_, inspection, manifests, source);
        found_.bytes_compared = summary_.bytes_compared;
        found_.bytes_received = summary_.bytes_received;
        const ControlFileData &data = inspection.target_control.data;
        found_.difference = find_content_difference(manifests.source, manifests.target, blocks, data.blcksz, data.relseg_size);
        add_names();
    }

    void add_names()
    {
        if (server_ == nullptr)
            return;
        std::set<RelationId> wanted;
        for (const FileDifference &file : found_.difference.files)
            if (file.relation)
                wanted.insert(file.relation->relation);
        for (auto &[id, name] : server_->relation_names(wanted, found_.warnings))
            found_.names[id] = {name.database, name.name, name.kind};
    }

    std::string report()
    {
        found_.seconds = progress_.total_seconds();
        return difference_json(found_);
    }

    const Options &options_;
    TargetDirectory target_;
    Progress progress_;
    Summary summary_; // of the phases that are a failback's too; not reported
    Context context_;
    DifferenceReport found_;
    ServerSource *server_ = nullptr; // the source, if it is a server
};

} // namespace

void run_diff(const Options &options, const std::string &argv0)
{
    check_report(options.report);
    std::optional<Diff> work;
    try {
        work.emplace(options, argv0);
    } catch (const Error &error) {
        DifferenceReport report;
        report.error = error.what();
        write_failure_report(options.report, difference_json(report));
        throw;
    }
    work->run();
}

} // namespace failback
