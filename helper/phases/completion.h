// The commit and what comes after it; and what an earlier run has left of either.
#pragma once

#include "helper/cluster/control_file.h"
#include "helper/phases/context.h"
#include "helper/target/staged_plan.h"

#include <functional>

namespace failback {

enum class EarlierRun {
    none,      // nothing was left, or it has been cleared away: the target is as its server left it
    completed, // it had committed, and has been completed now: as its own command line wanted it
    unclear,   // cleared away, but a server has run on the target since, perhaps on half of the work
};

class Completion {
public:
    explicit Completion(const Context &context) : context_(context) {}

    // To be called before anything else looks at the target. Throws Error(wrong_state) if a server uses it, or in a dry
    // run that would have to complete something.
    EarlierRun complete_earlier_run();

    // After EarlierRun::completed: whether that run had -R, and for a standby with this slot.
    bool earlier_wrote_standby_files() const { return !earlier_settings_.empty(); }
    bool earlier_names_slot(const std::string &slot) const;

    // From now on a failure removes the staging directories, or leaves them for the next run: they are this run's.
    void begin_staging() { staging_is_ours_ = !context_.options.dry_run; }
    // From now on staging holds what this run fetches. Until then a failure, of whatever kind, leaves what earlier runs
    // have fetched to the next one.
    void begin_fetch() { fetching_ = true; }
    // The work begins again: what was fetched is kept as an earlier run's.
    void set_aside_fetched();

    // What was found equal and stays may be in the kernel's memory only, and replay begins at the source's checkpoint: nothing would
    // bring it back. To be called before the commit, and before anything is left on the source: it may take long.
    void flush_what_is_kept() const;

    // The point of no return; not taken if pg_control is no longer what was inspected. Throws Error; whether it was passed
    // is known to committed() and after_failure().
    void commit_now(const StagedPlan &staged, const ControlFile &inspected);

    // Apply and finish.
    void complete(const StagedPlan &staged);

    // Whether the point of no return was passed, also by a commit that failed after it.
    bool committed() const { return committed_; }

    // Clears away what is only this run's, and says which state the target is in.
    void after_failure(const Error &error) noexcept;

private:
    void clear_staging(bool but_fetched) noexcept;
    void take_control_away();
    void put_control_back();
    bool leave_beside(const char *what, const std::function<void()> &write, const std::function<void()> &remove);
    bool something_is_staged() const noexcept;
    bool control_file_is_aside() const noexcept;

    const Context &context_;
    bool committed_ = false;
    std::string earlier_settings_; // postgresql.auto.conf as the completed run's -R wrote it
    bool finished_ = false; // all that can still fail is a look at the result
    bool unclear_ = false; // until this run's commit the target is to be known as such
    bool staging_is_ours_ = false; // made by this run, before its commit
    bool fetching_ = false; // its own actions are staged
};

} // namespace failback
