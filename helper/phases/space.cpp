#include "helper/phases/space.h"

#include "common/error.h"
#include "common/path_text.h"
#include "helper/phases/access_problems.h"
#include "helper/report/summary.h"
#include "helper/target/staging.h"

#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace failback {

namespace {

// Of a place that is yet to be made, its nearest parent that is there.
FileDescriptor open_nearest(std::string path)
{
    for (;;) {
        FileDescriptor fd(::open(path.empty() ? "/" : path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (fd || path.empty())
            return fd;
        path = parent_of(path);
    }
}

int64_t available_on(const FileDescriptor &fd)
{
    struct statvfs space;
    if (::fstatvfs(fd.get(), &space) != 0)
        return std::numeric_limits<int64_t>::max();
    return static_cast<int64_t>(space.f_bavail) * static_cast<int64_t>(space.f_frsize);
}

} // namespace

SpaceNeeds::SpaceNeeds(const TargetDirectory &target, const std::vector<FileAction> &actions) : target_(target)
{
    for (const FileAction &action : actions)
        if (action.kind == FileActionKind::create_symlink)
            new_places_[action.path] = action.link_target;
}

void SpaceNeeds::add(const std::string &path, int64_t bytes)
{
    if (bytes > 0)
        needed_[root_of(path)] += bytes;
}

// The staging directories lie where a filesystem may begin.
std::string SpaceNeeds::root_of(const std::string &path) const
{
    return parent_of(staging_directory(path));
}

FileDescriptor SpaceNeeds::open_root(const std::string &root) const
{
    if (auto place = new_places_.find(root); place != new_places_.end())
        return open_nearest(place->second);
    FileDescriptor fd = target_.open_directory(root);
    return fd ? std::move(fd) : target_.open_directory(""); // a tablespace in place, to be made
}

std::string SpaceNeeds::name_of(const std::string &root) const
{
    auto place = new_places_.find(root);
    return place != new_places_.end() ? place->second : root.empty() ? target_.path() : target_.absolute(root);
}

std::vector<std::string> SpaceNeeds::problems(int64_t reserve, const std::function<bool()> &make_room) const
{
    struct Filesystem {
        std::string root; // the first of them
        FileDescriptor fd;
        int64_t needed = 0;
    };
    // Several of these may be one filesystem: their needs are added up.
    std::map<dev_t, Filesystem> filesystems;
    for (const auto &[root, bytes] : needed_) {
        FileDescriptor fd = open_root(root);
        struct stat status;
        if (!fd || ::fstat(fd.get(), &status) != 0)
            continue;
        Filesystem &filesystem = filesystems[status.st_dev];
        if (filesystem.needed == 0) {
            filesystem.root = root;
            filesystem.fd = std::move(fd);
        }
        filesystem.needed += bytes;
    }
    std::vector<std::string> problems;
    for (const auto &[device, filesystem] : filesystems) {
        int64_t needed = filesystem.needed + reserve;
        int64_t available = available_on(filesystem.fd);
        if (available < needed && make_room && make_room())
            available = available_on(filesystem.fd);
        if (available < needed)
            problems.push_back(format("not enough space below \"%s\": %s needed, %s available", name_of(filesystem.root).c_str(),
                                      size_text(needed).c_str(), size_text(available).c_str()));
    }
    return problems;
}

void check_space_to_apply(const TargetDirectory &target, const std::vector<FileAction> &actions)
{
    // Beside the files: the note, backup_label, settings, directories.
    constexpr int64_t reserve = 1024 * 1024;
    constexpr int64_t bytes_beside_names = 64; // of an action in the plan, which the commit writes
    SpaceNeeds needs(target, actions);
    int64_t plan_bytes = 0;
    for (const FileAction &action : actions) {
        plan_bytes += static_cast<int64_t>(action.path.size() + action.source_path.size() + action.link_target.size()) + bytes_beside_names;
        bool written = action.kind == FileActionKind::replace || action.kind == FileActionKind::patch;
        if (!written || action.staging != StagingKind::redo) // a whole file is there already
            continue;
        FileDescriptor parent = target.open_directory(parent_of(action.path));
        struct stat status;
        bool exists = parent && ::fstatat(parent.get(), std::string(last_part(action.path)).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
        needs.add(action.path, exists ? action.size - status.st_size : action.size);
    }
    needs.add("", plan_bytes);
    std::vector<std::string> problems = needs.problems(reserve);
    if (!problems.empty())
        throw Error(ErrorCode::wrong_state, "there is no longer enough space to put in place what was fetched", problem_lines(problems),
                    "The target is unchanged. Make room, then run the command again.");
}

} // namespace failback
