#include "helper/phases/mounts.h"

#include "common/path_text.h"
#include "helper/target/staging.h"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <tuple>

namespace failback {

namespace {

// The same for two directories if a file can be renamed from one to the other.
using Mount = std::tuple<uint32_t, uint32_t, uint64_t>; // device and, where the kernel tells it, the mount

Mount mount_of(const TargetDirectory &target, const std::string &directory)
{
    FileDescriptor fd = target.open_directory(directory);
    struct statx found = {};
    if (!fd || ::statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &found) != 0)
        return {};
    return {found.stx_dev_major, found.stx_dev_minor, (found.stx_mask & STATX_MNT_ID) != 0 ? found.stx_mnt_id : 0};
}

} // namespace

void avoid_renames_between_mounts(const TargetDirectory &target, std::vector<FileAction> &actions)
{
    std::map<std::string, Mount> mounts; // of directories looked at
    auto on = [&](const std::string &directory) {
        auto [found, is_new] = mounts.try_emplace(directory);
        if (is_new)
            found->second = mount_of(target, directory);
        return found->second;
    };
    for (FileAction &action : actions) {
        if (action.staging != StagingKind::whole_file)
            continue;
        // A directory that is not there is made by this plan, in one that is.
        std::string directory = parent_of(action.path);
        while (!directory.empty() && on(directory) == Mount{})
            directory = parent_of(directory);
        if (on(directory) != on(parent_of(staging_directory(action.path))))
            action.staging = StagingKind::redo;
    }
}

const char *obstacle(const FileDescriptor &parent, const std::string &name, bool moved_or_removed)
{
    struct statx found;
    if (::statx(parent.get(), name.c_str(), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found) != 0)
        return errno == ENAMETOOLONG ? "has too long a name for its file system" : nullptr;
    if ((found.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0)
        return "may not be changed (see lsattr)";
    return moved_or_removed && (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 ? "is a mount point" : nullptr;
}

} // namespace failback
