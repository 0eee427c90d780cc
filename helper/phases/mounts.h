// What is mounted inside of the target, which no manifest shows.
#pragma once

#include "helper/plan/plan.h"
#include "helper/target/target_dir.h"

#include <vector>

namespace failback {

// A file is renamed into its place only from the same mount: where its directory lies on another one than the staging
// directory that is meant for it, its content goes through the redo file instead.
void avoid_renames_between_mounts(const TargetDirectory &target, std::vector<FileAction> &actions);

// What the file system does not let us do with an entry of a directory although its rights do, to follow the name in a
// message; nullptr: nothing. With an empty name, the directory itself.
const char *obstacle(const FileDescriptor &parent, const std::string &name, bool moved_or_removed);

} // namespace failback
