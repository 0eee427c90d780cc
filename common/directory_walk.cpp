#include "common/directory_walk.h"

#include "common/error.h"
#include "common/path_rules.h"
#include "common/path_text.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <unordered_set>

namespace failback {

namespace {

// How many names or entries are looked at between two calls of check_interrupts.
constexpr unsigned interrupt_interval = 256;

struct CloseDirectory {
    void operator()(DIR *directory) const { ::closedir(directory); }
};

// One directory on the current path: its names are read at once, so that it need not stay open.
struct Level {
    std::string path; // relative to the root; empty for the root itself
    std::vector<std::string> names;
    size_t next = 0;
    // Numbers of the relations here that have an _init fork: unlogged ones.
    std::unordered_set<uint32_t> unlogged;
};

bool is_link_followed(std::string_view path)
{
    if (path == "pg_wal")
        return true;
    constexpr std::string_view prefix = "pg_tblspc/";
    if (!path.starts_with(prefix) || path.size() == prefix.size())
        return false;
    std::string_view name = path.substr(prefix.size());
    return std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// pg_tblspc/OID/NAME
bool is_in_tablespace_root(std::string_view path)
{
    return path.starts_with("pg_tblspc/") && std::count(path.begin(), path.end(), '/') == 2;
}

std::string read_link(const std::string &full_path)
{
    std::string target(256, '\0');
    for (;;) {
        ssize_t length = ::readlink(full_path.c_str(), target.data(), target.size());
        if (length < 0)
            throw io_error("read symbolic link", full_path, errno);
        if (static_cast<size_t>(length) < target.size()) {
            target.resize(static_cast<size_t>(length));
            return target;
        }
        target.resize(target.size() * 2);
    }
}

} // namespace

struct DirectoryWalk::Impl {
    std::string root;
    WalkOptions options;
    std::vector<Level> path;
    unsigned looked_at = 0;

    void check_interrupts()
    {
        if (++looked_at % interrupt_interval == 0 && options.check_interrupts)
            options.check_interrupts();
    }

    std::string full_path(const std::string &relative) const
    {
        return relative.empty() ? root : root + "/" + relative;
    }

    // Reads the names in `relative` and makes it the deepest level. A directory that is gone has no names.
    void enter(const std::string &relative)
    {
        std::string full = full_path(relative);
        std::unique_ptr<DIR, CloseDirectory> directory(::opendir(full.c_str()));
        if (!directory) {
            if (errno == ENOENT && !relative.empty())
                return;
            throw io_error("open directory", full, errno);
        }
        Level level;
        level.path = relative;
        for (;;) {
            check_interrupts();
            errno = 0;
            const dirent *entry = ::readdir(directory.get());
            if (!entry) {
                // A directory removed while it is read reads as empty, or fails with ENOENT.
                if (errno != 0 && errno != ENOENT)
                    throw io_error("read directory", full, errno);
                break;
            }
            std::string_view name = entry->d_name;
            if (name == "." || name == "..")
                continue;
            level.names.emplace_back(name);
            if (options.only_copied && name.ends_with("_init")) {
                auto relation = parse_relation_path(join(relative, name));
                if (relation && relation->fork == ForkKind::init)
                    level.unlogged.insert(relation->relation.number);
            }
        }
        std::sort(level.names.begin(), level.names.end());
        path.push_back(std::move(level));
    }

    static std::string join(const std::string &directory, std::string_view name)
    {
        std::string joined;
        joined.reserve(directory.size() + 1 + name.size());
        if (!directory.empty())
            joined.append(directory).push_back('/');
        return joined.append(name);
    }

    // By its name alone: is this never reported?
    bool is_left_out(const std::string &relative, const Level &level) const
    {
        const auto &logs = options.log_directories;
        if (std::find(logs.begin(), logs.end(), relative) != logs.end())
            return true;
        if (relative == "lost+found" || relative == "pg_wal/lost+found")
            return true;
        if (is_in_tablespace_root(relative)) {
            std::string_view name = std::string_view(relative).substr(relative.rfind('/') + 1);
            if (name == "lost+found" || (!options.tablespace_directory.empty() && name != options.tablespace_directory))
                return true;
        }
        if (!is_acceptable_path(relative)) {
            if (options.refused)
                options.refused(relative);
            return true;
        }
        if (!options.only_copied)
            return false;
        switch (classify_path(relative)) {
        case PathClass::relation_temporary:
        case PathClass::wal_other:
        case PathClass::excluded:
        case PathClass::staging:
            return true;
        case PathClass::relation_main:
        case PathClass::relation_fork: {
            auto relation = parse_relation_path(relative);
            return relation && relation->fork != ForkKind::init && level.unlogged.contains(relation->relation.number);
        }
        case PathClass::configuration:
        case PathClass::other:
            return (is_private_key(relative) && !options.private_keys) || is_source_copy(relative);
        case PathClass::wal_segment:
        case PathClass::wal_history:
        case PathClass::control_file:
            return false;
        }
        return false;
    }

    // Fills `entry` for `relative`; false if it is of no kind that is reported, or gone.
    // `descend` is set when its contents come next.
    bool look_at(const std::string &relative, FileEntry &entry, bool &descend) const
    {
        std::string full = full_path(relative);
        struct stat status;
        if (::lstat(full.c_str(), &status) != 0) {
            if (errno == ENOENT)
                return false;
            throw io_error("stat file", full, errno);
        }
        if (S_ISREG(status.st_mode)) {
            entry.kind = FileKind::regular;
            entry.size = status.st_size;
        } else if (S_ISDIR(status.st_mode)) {
            entry.kind = FileKind::directory;
            descend = !(options.only_copied && is_emptied_directory(relative));
        } else if (S_ISLNK(status.st_mode) && is_link_followed(relative)) {
            entry.kind = FileKind::symlink;
            try {
                entry.link_target = read_link(full);
            } catch (const Error &error) {
                if (error.code() == ErrorCode::undefined_file)
                    return false;
                throw;
            }
            descend = true;
        } else {
            return false;
        }
        entry.path = relative;
        entry.mode = status.st_mode & 07777;
        entry.mtime = int64_t{status.st_mtim.tv_sec} * 1000000 + status.st_mtim.tv_nsec / 1000;
        return true;
    }
};

DirectoryWalk::DirectoryWalk(std::string root, WalkOptions options)
    : impl_(std::make_unique<Impl>(Impl{std::move(root), std::move(options), {}, 0}))
{
    impl_->enter("");
}

DirectoryWalk::~DirectoryWalk() = default;

std::optional<FileEntry> DirectoryWalk::next()
{
    while (!impl_->path.empty()) {
        impl_->check_interrupts();
        Level &level = impl_->path.back();
        if (level.next == level.names.size()) {
            impl_->path.pop_back();
            continue;
        }
        std::string relative = Impl::join(level.path, level.names[level.next++]);
        if (impl_->is_left_out(relative, level))
            continue;
        FileEntry entry;
        bool descend = false;
        if (!impl_->look_at(relative, entry, descend))
            continue;
        if (descend)
            impl_->enter(relative); // invalidates `level`
        return entry;
    }
    return std::nullopt;
}

} // namespace failback
