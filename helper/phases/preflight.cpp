#include "helper/phases/make_plan.h"

#include "common/path_text.h"
#include "helper/phases/access_problems.h"
#include "helper/phases/mounts.h"
#include "helper/phases/space.h"
#include "helper/standby/recovery_config.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/tablespace_location.h"

#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

// Left free on each filesystem beside what is staged: the plan, backup_label, directory growth.
constexpr int64_t space_reserve = 16 * 1024 * 1024;

class Preflight {
public:
    Preflight(const TargetDirectory &target, bool dry_run, const std::vector<FileAction> &actions)
        : target_(target), dry_run_(dry_run), space_(target, actions)
    {
    }

    void check(const std::vector<FileAction> &actions)
    {
        for (const FileAction &action : actions)
            if (action.kind == FileActionKind::create_directory || action.kind == FileActionKind::create_symlink)
                made_.insert(action.path);
        for (const FileAction &action : actions) {
            if (action.kind == FileActionKind::create_symlink)
                check_tablespace_location(action);
            if (!is_acceptable_path(action.path)) {
                problems_.push_back(format("\"%s\" is no name for a file", shown_path(action.path).c_str()));
                continue;
            }
            if (check_parent(action.path))
                check_entry(action);
            else if (last_part(action.path).size() > name_limit())
                problems_.push_back(format("\"%s\" has too long a name for its file system", target_.absolute(action.path).c_str()));
            count_space(action);
        }
    }

    // What finish() renames into place.
    void check_replaced(const std::string &path) { check_obstacle(path, true); }

    void add_problems(const std::vector<std::string> &problems)
    {
        problems_.insert(problems_.end(), problems.begin(), problems.end());
    }

    void finish()
    {
        for (const std::string &directory : directories_)
            check_directory(directory);
        add_problems(space_.problems(space_reserve, [this] { return make_room(); }));
        if (problems_.empty())
            return;
        throw Error(ErrorCode::wrong_state, "the target cannot be changed as planned; nothing was changed",
                    problem_lines(problems_), "Mend all of it, then run the command again.");
    }

private:
    // Its real path, or that of its parent with its name if it is yet to be made; empty if neither can be found.
    static std::string real_path(const std::string &path)
    {
        auto resolve = [](const std::string &existing) {
            std::unique_ptr<char, decltype(&std::free)> real(::realpath(existing.c_str(), nullptr), std::free);
            return std::string(real ? real.get() : "");
        };
        std::string real = resolve(path);
        if (!real.empty())
            return real;
        std::string parent = resolve(parent_of(path));
        return parent.empty() ? parent : parent + "/" + std::string(last_part(path));
    }

    // The data directory, and what its own links lead to.
    std::vector<std::string> occupied_places() const
    {
        std::vector<std::string> places = {real_path(target_.path()), real_path(target_.absolute("pg_wal"))};
        for (const std::string &tablespace : target_.names_in("pg_tblspc"))
            places.push_back(real_path(target_.absolute("pg_tblspc/" + tablespace)));
        return places;
    }

    // A location is what the source says, unless it was mapped.
    bool is_acceptable_location(const std::string &location) const
    {
        if (!is_acceptable_path(std::string_view(location).substr(1)))
            return false;
        std::string real = real_path(location);
        for (const std::string &place : occupied_places())
            if (real == place || (real + "/").starts_with(place + "/"))
                return false;
        return true;
    }

    void check_tablespace_location(const FileAction &action)
    {
        if (!is_acceptable_location(action.link_target)) {
            problems_.push_back(format("tablespace \"%s\": \"%s\" is no place for it: it lies in the data directory, its pg_wal or"
                                       " another tablespace, or has parts that are no names",
                                       action.path.c_str(), action.link_target.c_str()));
            return;
        }
        // As they really are: one may be a link to the other.
        std::string real = real_path(action.link_target);
        for (const std::string &other : locations_)
            if (other == real || other.starts_with(real + "/") || real.starts_with(other + "/"))
                problems_.push_back(format("tablespace \"%s\": directory \"%s\" is another tablespace's too", action.path.c_str(),
                                           action.link_target.c_str()));
        locations_.push_back(real);
        if (std::string problem = location_problem(action.link_target); !problem.empty()) {
            problems_.push_back(format("tablespace \"%s\": %s", action.path.c_str(), problem.c_str()));
            return;
        }
        DIR *directory = ::opendir(action.link_target.c_str());
        if (directory == nullptr) {
            struct stat status;
            std::string parent = parent_of(action.link_target);
            if (errno != ENOENT || ::stat(parent.c_str(), &status) != 0 || ::access(parent.c_str(), W_OK | X_OK) != 0)
                problems_.push_back(format("tablespace \"%s\": directory \"%s\" cannot be created", action.path.c_str(),
                                           action.link_target.c_str()));
            return;
        }
        bool empty = true;
        while (const dirent *entry = ::readdir(directory))
            if (std::string_view name = entry->d_name; name != "." && name != "..")
                empty = false;
        ::closedir(directory);
        // It may be the source's own, where both servers are on one machine.
        if (!empty)
            problems_.push_back(format("tablespace \"%s\": directory \"%s\" is not empty", action.path.c_str(),
                                       action.link_target.c_str()));
    }

    // False if the directory that holds the path is not there (this plan makes it).
    bool check_parent(const std::string &path)
    {
        std::string parent = parent_of(path);
        if (parent == last_parent_)
            return last_exists_;
        last_parent_ = parent;
        last_exists_ = false;
        try {
            FileDescriptor fd = target_.open_directory(parent);
            last_exists_ = static_cast<bool>(fd);
            if (!fd && !made_.contains(parent) && !target_.exists(parent))
                problems_.push_back(format("directory \"%s\" does not exist, and the source does not have it",
                                           target_.absolute(parent).c_str()));
            else if (!fd && target_.exists(parent))
                problems_.push_back(format("\"%s\" is not a directory, or a link to one", target_.absolute(parent).c_str()));
        } catch (const Error &error) {
            problems_.push_back(error.what()); // a link in the way
        }
        if (last_exists_)
            directories_.insert(parent);
        return last_exists_;
    }

    void check_entry(const FileAction &action)
    {
        // A directory somebody has mounted a file system on stays.
        bool gone = action.kind == FileActionKind::remove;
        if (action.kind == FileActionKind::patch || action.kind == FileActionKind::replace)
            check_writable(action);
        check_obstacle(action.path, action.staging == StagingKind::whole_file || (gone && action.file_kind != FileKind::directory));
    }

    void check_obstacle(const std::string &path, bool moved_or_removed)
    {
        FileDescriptor parent = target_.open_directory(parent_of(path));
        if (const char *why = parent ? obstacle(parent, std::string(last_part(path)), moved_or_removed) : nullptr)
            problems_.push_back(format("\"%s\" %s", target_.absolute(path).c_str(), why));
    }

    // Of names in directories that are yet to be made.
    size_t name_limit() const
    {
        FileDescriptor root = target_.open_directory("");
        long limit = ::fpathconf(root.get(), _PC_NAME_MAX);
        return limit < 0 ? max_part_length : static_cast<size_t>(limit);
    }

    void check_writable(const FileAction &action)
    {
        FileDescriptor parent = target_.open_directory(parent_of(action.path));
        std::string name(last_part(action.path));
        struct stat status;
        if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT && errno != ENAMETOOLONG) // which check_obstacle tells
                problems_.push_back(io_error("examine", target_.absolute(action.path), errno).what());
            return; // is made by this plan
        }
        if (!S_ISREG(status.st_mode))
            problems_.push_back(format("\"%s\" is not a regular file", target_.absolute(action.path).c_str()));
        else if (::faccessat(parent.get(), name.c_str(), R_OK | W_OK, AT_EACCESS) != 0)
            problems_.push_back(io_error("write file", target_.absolute(action.path), errno).what());
        else if (action.kind == FileActionKind::patch && action.staging == StagingKind::redo && action.size > status.st_size)
            space_.add(action.path, action.size - status.st_size);
    }

    void check_directory(const std::string &path)
    {
        FileDescriptor fd = target_.open_directory(path);
        if (const char *why = fd ? obstacle(fd, "", false) : nullptr)
            problems_.push_back(format("directory \"%s\" %s", path.empty() ? target_.path().c_str() : target_.absolute(path).c_str(), why));
        if (fd && ::faccessat(fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
            problems_.push_back(io_error("write to directory", path.empty() ? target_.path() : target_.absolute(path), errno).what());
    }

    void count_space(const FileAction &action)
    {
        int64_t bytes = 0;
        for (const Extent &extent : action.fetch)
            bytes += extent.length;
        if (action.staging == StagingKind::whole_file) {
            space_.add(action.path, action.size);
            return;
        }
        // Once in the redo file, and once more where the file grows in place; the latter at its size at the most.
        space_.add("", bytes);
        if (action.kind == FileActionKind::replace)
            space_.add(action.path, bytes);
    }

    // What an interrupted run has staged is of use only as long as there is room for it beside what this one stages.
    bool make_room()
    {
        if (dry_run_ || earlier_staging(target_).empty())
            return false;
        pg_log_info("removing what an interrupted run has staged: there is not enough space to take it over");
        remove_earlier_staging(target_);
        return true;
    }

    const TargetDirectory &target_;
    const bool dry_run_;
    SpaceNeeds space_;
    std::set<std::string> made_; // directories and links, by this plan
    // Where entries are made or removed; by every run in the first three.
    std::set<std::string> directories_ = {"", "global", "pg_wal"};
    std::vector<std::string> locations_; // of tablespaces to be made, resolved
    std::vector<std::string> problems_;
    std::string last_parent_ = "/"; // of the path looked at last: no relative path has it
    bool last_exists_ = false;
};

} // namespace

void preflight(const Context &context, const Plan &plan, const std::vector<FileAction> &wal,
               const std::vector<std::string> &problems)
{
    Preflight check(context.target, context.options.dry_run, plan.actions);
    check.check(plan.actions);
    check.check(wal);
    if (context.options.write_recovery_conf)
        check.check_replaced(recovery_config_path);
    check.add_problems(problems);
    check.finish();
}

} // namespace failback
