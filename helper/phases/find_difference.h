// Chooses between the twins "scan" and "compare", and says which and why.
#pragma once

#include "helper/phases/difference.h"
#include "helper/phases/inspect.h"

#include <optional>
#include <string>

namespace failback {

class DifferenceFinder {
public:
    explicit DifferenceFinder(const Context &context) : context_(context) {}

    // By the target's WAL where it can be trusted, else (or when told) by content: then the blocks are still to be
    // compared. Nothing if no rewind is required. WAL that the source has to supply is held there from now on.
    std::optional<Difference> find(Inspection &inspection, Source &source);

    // From now on contents are compared. Throws Error(wrong_state) with --mode=wal, and where the source has refused it.
    void compare_because(const std::string &reason);
    bool compares() const { return compare_; }
    // The target has just been made level with some source, by contents if they were asked for: if WAL says that it is this one,
    // that is all.
    void accept_level_target() { may_be_level_ = true; }

    // Comparing will be a choice: if the source cannot begin it, WAL does after all.
    void could_go_by_wal() { wal_would_do_ = true; }
    bool insists_on_wal() const { return !refusal_.empty(); }

private:
    Difference begin_comparing(Inspection &inspection, Source &source) const;
    bool source_has_wal(Source &source, Lsn from, std::string &reason) const;
    Lsn wal_needed_from_source(const Inspection &inspection, const Difference &difference) const;
    void announce_divergence(const Difference &found) const;
    void announce_checkpoint(const Difference &found) const;

    const Context &context_;
    bool compare_ = false;
    bool may_be_level_ = false;
    bool wal_would_do_ = false;
    std::string refusal_;   // why the source could not begin a comparison; empty: it was not asked, or could
    bool diverged_ = false; // WAL has shown that the target has what the source will never have
};

} // namespace failback
