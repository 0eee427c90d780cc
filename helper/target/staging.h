// The staging area: where fetched content waits, and the one rename that commits to using it.
//
// Each filesystem that PostgreSQL may have below the data directory (pg_wal, a tablespace) has a staging directory
// of its own, so that every staged file can be renamed into place.
#pragma once

#include "helper/target/staged_plan.h"
#include "helper/target/target_dir.h"

#include <string>
#include <string_view>
#include <vector>

namespace failback {

inline constexpr const char *staging_name = "pg_failback.staging";
inline constexpr const char *staged_plan_path = "pg_failback.staging/plan";
inline constexpr const char *moved_control_path = "pg_failback.staging/pg_control.old";
inline constexpr const char *new_control_path = "pg_failback.staging/pg_control.new";
// What the numbers in staged files mean, for a run that comes after an interrupted one; see earlier_staging.h.
inline constexpr const char *staged_actions_path = "pg_failback.staging/actions";
// Made before the first change to the target itself, with the content of its old pg_control: from then on only completing
// the work makes it whole, even if somebody puts that pg_control back by hand.
inline constexpr const char *applying_path = "pg_failback.staging/applying";

// What an earlier run has left on the target.
enum class StagingState {
    none,      // nothing
    abandoned, // it ended before its commit (the target is untouched), or after it was done: to be removed
    committed, // it ended after its commit: apply and finish are to be done
    unclear,   // a server has run since, on the finished target or (pg_control put back by hand) on half of the work
};

// Throws Error(data_corrupted) if pg_control is neither in its place nor aside.
StagingState examine_staging(const TargetDirectory &target);

// "pg_failback.staging", "pg_wal/pg_failback.staging" or "pg_tblspc/OID/pg_failback.staging": on the filesystem of `path`.
std::string staging_directory(std::string_view path);
// Where the content of the action with this index is staged; WAL segments keep their names.
std::string staged_file_path(const FileAction &action, size_t index);

// All that there may be on this target, whether or not they exist.
std::vector<std::string> staging_directories(const TargetDirectory &target);

// Removes what tells of a run beside its staged files: the note, and the mark that changes have begun.
void remove_notes(const TargetDirectory &target);
// Removes the notes and the staging directories with all that is in them.
void remove_staging(const TargetDirectory &target);
// All but the mark that changes have begun: a target that is perhaps half of one work and half of another's is known by it
// until the next commit.
void remove_staging_but_mark(const TargetDirectory &target);
// Makes the staging directories needed for these actions (and for pg_wal).
void create_staging(const TargetDirectory &target, const std::vector<FileAction> &actions);

// A flush for each filesystem that the target may lie on: the data directory's, pg_wal's, each tablespace's, and what is mounted
// at one of the server's directories or a database's.
void sync_filesystems(const TargetDirectory &target);

// Writes the plan, reads it back, flushes the staging directories, and moves pg_control aside: the point of no return. A
// plan that no later run could read is refused before. Staged files must have been flushed. `command` is shown in the note.
void commit(const TargetDirectory &target, const StagedPlan &plan, const std::string &command, bool sync);

} // namespace failback
