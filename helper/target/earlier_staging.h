// What runs that ended before their commit have staged, kept so that the next one need not fetch it again.
#pragma once

#include "helper/plan/plan.h"
#include "helper/target/target_dir.h"

#include <string>
#include <vector>

namespace failback {

// Which file is meant by each number in the redo files: written before anything is fetched.
void note_actions(const TargetDirectory &target, const std::vector<FileAction> &actions);

// Gives what is staged other names, so that a new run can stage beside it. What can be of no use to it (WAL, plans, notes)
// is removed; with nothing of use, all is.
void set_aside_staging(const TargetDirectory &target);

// Is anything staged that the next run could take over, by this run or one before it?
bool can_be_taken_over(const TargetDirectory &target);

struct EarlierStaging {
    std::string prefix;                  // of its files' names
    std::vector<FileAction> actions;     // what its numbers mean
    std::vector<std::string> redo_files; // paths; any of them may end in the middle of a record
};

// What was set aside. What cannot be read is left out.
std::vector<EarlierStaging> earlier_staging(const TargetDirectory &target);
// Where it staged the action with this index as a whole file.
std::string earlier_file_path(const EarlierStaging &earlier, size_t index);
// Removes all that was set aside.
void remove_earlier_staging(const TargetDirectory &target);

} // namespace failback
