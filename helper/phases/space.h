// Space on the filesystems that the target lies on: the data directory, pg_wal and each tablespace may have one of its own.
#pragma once

#include "helper/plan/plan.h"
#include "helper/target/target_dir.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace failback {

// Adds up what is going to be written, by filesystem. A tablespace that the plan makes counts where it will lie, although
// nothing is there yet.
class SpaceNeeds {
public:
    SpaceNeeds(const TargetDirectory &target, const std::vector<FileAction> &actions);

    // Bytes more of the file at `path`, relative to the data directory.
    void add(const std::string &path, int64_t bytes);

    // One line for each filesystem that has not so much, and `reserve` bytes more where anything is needed at all. Where space
    // is short, make_room is asked to free some; it says whether it did.
    std::vector<std::string> problems(int64_t reserve, const std::function<bool()> &make_room = {}) const;

private:
    std::string root_of(const std::string &path) const;
    FileDescriptor open_root(const std::string &root) const;
    std::string name_of(const std::string &root) const;

    const TargetDirectory &target_;
    std::map<std::string, std::string> new_places_; // "pg_tblspc/OID" -> where the plan puts it
    std::map<std::string, int64_t> needed_; // by root directory of a filesystem that may be one of its own
};

// Once more, right before the commit, with everything fetched: throws Error(wrong_state) if there is no room for what apply
// has yet to allocate: files that grow in place, new files, and those of new tablespaces.
void check_space_to_apply(const TargetDirectory &target, const std::vector<FileAction> &actions);

} // namespace failback
