#include "helper/plan/decide.h"

#include "common/error.h"
#include "common/path_rules.h"
#include "common/path_text.h"
#include "helper/plan/relation_extents.h"

#include <algorithm>
#include <set>

namespace failback {

namespace {

// From this size on, a new file is built beside and renamed rather than sent through the redo file: below it,
// making and renaming a file costs more than writing its content twice.
constexpr int64_t whole_file_minimum = 1024 * 1024;

bool is_data_directory(std::string_view path)
{
    // Exists in every cluster; a server that finds it missing does not start.
    return is_cluster_directory(path) || path == "pg_wal/archive_status" || path == "pg_wal/summaries";
}

// A file that PostgreSQL did not make: beside its own directories, and not one of its files at the top.
bool is_foreign(std::string_view path, PathClass path_class)
{
    return path_class == PathClass::other && path != "PG_VERSION" &&
           !is_cluster_directory(path.substr(0, path.find('/')));
}

std::string_view tablespace_of(std::string_view path)
{
    constexpr std::string_view prefix = "pg_tblspc/";
    if (!path.starts_with(prefix))
        return {};
    return path.substr(0, path.find('/', prefix.size()));
}

class Decider {
public:
    explicit Decider(const DecideInput &input) : input_(input) {}

    Plan run()
    {
        auto source = input_.source->begin();
        auto target = input_.target->begin();
        while (source != input_.source->end() || target != input_.target->end()) {
            bool no_target = target == input_.target->end();
            if (no_target || (source != input_.source->end() && source->path < target->path))
                source_only(*source++);
            else if (source == input_.source->end() || target->path < source->path)
                target_only(*target++);
            else
                both(*source++, *target++);
        }
        auto removes = [](const FileAction &action) { return action.kind == FileActionKind::remove; };
        std::sort(plan_.actions.begin(), plan_.actions.end(), [&](const FileAction &a, const FileAction &b) {
            int order = a.path.compare(b.path);
            return order != 0 ? order < 0 : removes(a) < removes(b);
        });
        // An old NAME.source is to go and a new one to come. The latter suffices, and has to: apply may be repeated, and
        // would then remove what it had put there.
        auto same_path = [](const FileAction &a, const FileAction &b) { return a.path == b.path; };
        plan_.actions.erase(std::unique(plan_.actions.begin(), plan_.actions.end(), same_path), plan_.actions.end());
        for (FileAction &action : plan_.actions)
            finish(action);
        return std::move(plan_);
    }

private:
    void source_only(const FileEntry &source)
    {
        count_source(source);
        PathClass path_class = classify_path(source.path);
        if (never_taken(path_class, source.path))
            return;
        switch (source.kind) {
        case FileKind::directory:
            create(FileActionKind::create_directory, source);
            return;
        case FileKind::symlink:
            new_tablespaces_.insert(source.path);
            create(FileActionKind::create_symlink, source);
            return;
        case FileKind::regular:
            if (path_class == PathClass::configuration)
                configuration(source.path, nullptr, &source);
            else
                replace(source, path_class);
            return;
        }
    }

    void target_only(const FileEntry &target)
    {
        PathClass path_class = classify_path(target.path);
        // A private key stays whatever the policy for configuration says.
        if (path_class == PathClass::configuration && target.kind == FileKind::regular && !is_key(target.path)) {
            configuration(target.path, &target, nullptr);
            return;
        }
        if (stays(target, path_class)) {
            plan_.files_kept += target.kind == FileKind::regular;
            return;
        }
        remove(target);
    }

    void both(const FileEntry &source, const FileEntry &target)
    {
        count_source(source);
        PathClass path_class = classify_path(source.path);
        if (never_taken(path_class, source.path)) {
            target_only(target);
            return;
        }
        if (source.kind != FileKind::regular || target.kind != FileKind::regular) {
            both_not_regular(source, target);
            return;
        }
        if (path_class == PathClass::configuration)
            configuration(source.path, &target, &source);
        else if (path_class == PathClass::relation_main)
            relation(source, target);
        else if (same_content(source, target))
            plan_.files_kept++;
        else
            replace(source, path_class);
    }

    void both_not_regular(const FileEntry &source, const FileEntry &target)
    {
        note_other_place(source, target);
        if (source.kind == target.kind)
            return;
        // Each server may have its own way of holding pg_wal and its tablespaces: link or directory.
        if (source.kind != FileKind::regular && target.kind != FileKind::regular)
            return;
        throw Error(ErrorCode::wrong_state,
                    format("\"%s\" is a file on one server and a directory or link on the other", source.path.c_str()), "",
                    "Move it out of the way on the target.");
    }

    void note_other_place(const FileEntry &source, const FileEntry &target)
    {
        bool tablespace = source.path.starts_with("pg_tblspc/");
        if (!tablespace || source.link_target == target.link_target)
            return;
        auto place = [](const FileEntry &entry) {
            return entry.kind == FileKind::symlink ? "at \"" + entry.link_target + "\"" : std::string("in the data directory");
        };
        plan_.notes.push_back(format("tablespace \"%s\" stays %s (on the source it is %s)", source.path.c_str(),
                                     place(target).c_str(), place(source).c_str()));
    }

    void relation(const FileEntry &source, const FileEntry &target)
    {
        RelationPath relation = *parse_relation_path(source.path);
        if (input_.blocks->replace_whole(relation.relation)) {
            replace(source, PathClass::relation_main);
            return;
        }
        FileAction action;
        action.fetch = changed_extents(*input_.blocks, relation, source.size, target.size, input_.block_size,
                                       input_.relation_segment_blocks);
        if (action.fetch.empty() && source.size == target.size) {
            plan_.files_kept++;
            return;
        }
        action.kind = FileActionKind::patch;
        action.path = source.path;
        action.relation = true;
        action.size = source.size;
        plan_.actions.push_back(std::move(action));
    }

    void configuration(const std::string &path, const FileEntry *target, const FileEntry *source)
    {
        bool identical = target != nullptr && source != nullptr && same_content(*source, *target);
        switch (input_.config(path, target != nullptr, source != nullptr, identical)) {
        case ConfigChoice::keep:
            plan_.files_kept += target != nullptr;
            return;
        case ConfigChoice::remove:
            if (target != nullptr)
                remove(*target);
            return;
        case ConfigChoice::take_source:
            replace(*source, PathClass::configuration);
            return;
        case ConfigChoice::write_beside:
            plan_.files_kept += target != nullptr;
            write_beside(*source);
            return;
        }
    }

    void write_beside(const FileEntry &source)
    {
        std::string name = input_.source_copy_name(source.path);
        if (!is_acceptable_path(name)) {
            plan_.notes.push_back(format("\"%s\" of the source is not written beside the target's: the name is too long", source.path.c_str()));
            return;
        }
        replace(source, PathClass::configuration);
        plan_.actions.back().source_path = source.path;
        plan_.actions.back().path = name;
    }

    bool is_key(std::string_view path) const { return is_private_key(path) || input_.own_keys.contains(path); }

    // Nothing of the source's is taken, whatever it sends.
    bool never_taken(PathClass path_class, std::string_view path) const
    {
        switch (path_class) {
        case PathClass::wal_segment:
        case PathClass::wal_other:
        case PathClass::control_file:
        case PathClass::excluded:
        case PathClass::staging:
        case PathClass::relation_temporary:
            return !is_data_directory(path) && !is_emptied_directory(path);
        default:
            return is_key(path);
        }
    }

    bool stays(const FileEntry &target, PathClass path_class) const
    {
        const std::string &path = target.path;
        if (is_key(path) || path_class == PathClass::control_file || path_class == PathClass::staging)
            return true;
        if (target.kind == FileKind::directory && (is_data_directory(path) || is_emptied_directory(path)))
            return true;
        if (path == "pg_wal") // a link
            return true;
        // Tells where the configuration was (Debian), should the run have to be repeated; a start rewrites it.
        if (path == "postmaster.opts")
            return true;
        if (path_class == PathClass::wal_segment || path_class == PathClass::wal_other)
            return true; // wal_plan decides
        return is_foreign(path, path_class) && input_.foreign == ForeignFiles::keep_targets;
    }

    static bool same_content(const FileEntry &source, const FileEntry &target)
    {
        return source.size == target.size && source.has_checksum && target.has_checksum &&
               source.checksum == target.checksum;
    }

    void create(FileActionKind kind, const FileEntry &source)
    {
        FileAction action;
        action.kind = kind;
        action.path = source.path;
        action.link_target = source.link_target;
        plan_.actions.push_back(std::move(action));
    }

    void remove(const FileEntry &target)
    {
        FileAction action;
        action.kind = FileActionKind::remove;
        action.path = target.path;
        action.file_kind = target.kind;
        plan_.actions.push_back(std::move(action));
    }

    void replace(const FileEntry &source, PathClass path_class)
    {
        FileAction action;
        action.kind = FileActionKind::replace;
        action.path = source.path;
        action.relation = path_class == PathClass::relation_main || path_class == PathClass::relation_fork;
        action.size = source.size;
        if (source.size > 0)
            action.fetch.push_back({0, source.size});
        plan_.actions.push_back(std::move(action));
    }

    void count_source(const FileEntry &source) { plan_.source_bytes += source.size; }

    void finish(FileAction &action)
    {
        int64_t fetched = 0;
        for (const Extent &extent : action.fetch)
            fetched += extent.length;
        // The directory of a new tablespace is made by apply: no staging directory is there to rename from.
        bool can_rename = !new_tablespaces_.contains(tablespace_of(action.path));
        if (can_rename && action.size >= whole_file_minimum && cheaper_whole(fetched, action.size))
            action.staging = StagingKind::whole_file;
        plan_.bytes_to_fetch += fetched;
        if (classify_path(action.path) == PathClass::relation_main)
            plan_.blocks_to_fetch += fetched / input_.block_size;
    }

    // A whole file is written once, all of it; through the redo file what changes is written twice. Compressed, the first
    // of the two counts for little: a fifth or less of it with lz4 on the pages measured.
    bool cheaper_whole(int64_t fetched, int64_t size) const
    {
        return input_.compressed ? fetched >= size - size / 5 : fetched >= size - size / 2;
    }

    const DecideInput &input_;
    Plan plan_;
    std::set<std::string, std::less<>> new_tablespaces_;
};

} // namespace

Plan decide(const DecideInput &input)
{
    return Decider(input).run();
}

void sort_manifest(std::vector<FileEntry> &entries)
{
    std::sort(entries.begin(), entries.end(), [](const FileEntry &a, const FileEntry &b) { return a.path < b.path; });
}

} // namespace failback
