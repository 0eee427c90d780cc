#include "helper/phases/access_problems.h"

#include "common/path_rules.h"
#include "common/path_text.h"
#include "helper/pg_frontend.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

bool is_digits(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

class AccessCheck {
public:
    explicit AccessCheck(const TargetDirectory &target) : target_(target) {}

    std::vector<std::string> run()
    {
        directory("");
        return std::move(problems_);
    }

private:
    void directory(const std::string &path)
    {
        std::vector<std::string> names;
        FileDescriptor fd;
        try {
            fd = target_.open_directory(path);
            if (!fd)
                return;
            if (is_servers(path) && ::faccessat(fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
                add("write to directory", path);
            names = target_.names_in(path);
        } catch (const Error &error) {
            problems_.emplace_back(error.what());
            return;
        }
        std::sort(names.begin(), names.end());
        const std::string prefix = path.empty() ? "" : path + "/";
        for (const std::string &name : names)
            entry(fd, prefix + name, name);
    }

    void entry(const FileDescriptor &parent, const std::string &path, const std::string &name)
    {
        struct stat status;
        if (is_left_out(path, name) || ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return;
        if (S_ISDIR(status.st_mode) || (S_ISLNK(status.st_mode) && is_link_of_servers(path)))
            directory(path);
        else if (S_ISREG(status.st_mode))
            file(parent, path, name);
    }

    void file(const FileDescriptor &parent, const std::string &path, const std::string &name)
    {
        PathClass path_class = classify_path(path);
        if (!is_servers(path) || path_class == PathClass::configuration || path_class == PathClass::staging)
            return;
        if (::faccessat(parent.get(), name.c_str(), R_OK, AT_EACCESS) != 0) {
            add("read file", path);
            return;
        }
        // Segments that the archive gave may be read-only: recovery only reads them.
        bool written = !path.starts_with("pg_wal/") && path_class != PathClass::excluded;
        if (written && ::faccessat(parent.get(), name.c_str(), W_OK, AT_EACCESS) != 0)
            add("write file", path);
    }

    void add(const char *verb, const std::string &path)
    {
        problems_.emplace_back(io_error(verb, path.empty() ? target_.path() : target_.absolute(path), errno).what());
    }

    // The data directory, or in one of PostgreSQL's own; other files at the top are settings and other people's.
    static bool is_servers(std::string_view path)
    {
        return path.empty() || is_cluster_directory(path.substr(0, path.find('/')));
    }

    static bool is_link_of_servers(std::string_view path)
    {
        constexpr std::string_view tablespaces = "pg_tblspc/";
        return path == "pg_wal" || (path.starts_with(tablespaces) && is_digits(path.substr(tablespaces.size())));
    }

    static bool is_left_out(std::string_view path, std::string_view name)
    {
        if (!is_acceptable_path(path))
            return true;
        // Other majors keep theirs beside it.
        bool tablespace_root = path.starts_with("pg_tblspc/") && std::count(path.begin(), path.end(), '/') == 2;
        return name == "lost+found" || (tablespace_root && !name.starts_with("PG_" PG_MAJORVERSION "_"));
    }

    const TargetDirectory &target_;
    std::vector<std::string> problems_;
};

} // namespace

std::vector<std::string> find_access_problems(const TargetDirectory &target)
{
    return AccessCheck(target).run();
}

Error with_access_problems(const Error &error, const TargetDirectory &target)
{
    if (error.code() == ErrorCode::cancelled)
        return error;
    std::vector<std::string> problems = find_access_problems(target);
    if (problems.empty())
        return error;
    std::string detail = error.detail().empty() ? "" : error.detail() + "\n";
    return Error(error.code(), error.what(), detail + "On the target:\n" + problem_lines(problems),
                 (error.hint().empty() ? "" : error.hint() + " ") + "Mend all of it, then run the command again.");
}

} // namespace failback
