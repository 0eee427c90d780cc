#include "helper/target/earlier_staging.h"

#include "common/error.h"
#include "helper/target/staged_plan.h"
#include "helper/target/staging.h"

#include <algorithm>

namespace failback {

namespace {

constexpr const char *actions_name = "actions";
constexpr std::string_view aside = "earlier";
constexpr int64_t max_actions_bytes = int64_t{1} << 32;
// Every run that was interrupted while it took over from others leaves one more set; no row of accidents is so long.
constexpr int max_sets = 16;

std::string path_in(std::string_view directory, std::string_view name)
{
    return std::string(directory) + "/" + std::string(name);
}

std::string prefix_of(int set)
{
    return format("%s%d.", std::string(aside).c_str(), set);
}

bool is_redo(std::string_view name)
{
    return name.starts_with("blocks.") && !name.ends_with(".rest"); // the rest is of the target's own files
}

// "f12"
bool is_whole_file(std::string_view name)
{
    return name.size() > 1 && name[0] == 'f' && name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

// The first set that is not complete: its actions, which come last, are not there yet.
int next_set(const TargetDirectory &target)
{
    int set = 1;
    while (set <= max_sets && target.exists(path_in(staging_name, prefix_of(set) + actions_name)))
        set++;
    return set;
}

} // namespace

void note_actions(const TargetDirectory &target, const std::vector<FileAction> &actions)
{
    StagedPlan plan;
    plan.actions = actions;
    target.write_file(staged_actions_path, encode_staged_plan(plan), false);
}

void set_aside_staging(const TargetDirectory &target)
{
    int set = next_set(target);
    bool of_use = target.exists(staged_actions_path) && set <= max_sets;
    if (!of_use && set == 1) {
        remove_staging(target);
        return;
    }
    remove_notes(target);
    for (const std::string &directory : staging_directories(target)) {
        for (const std::string &name : target.names_in(directory)) {
            if (name.starts_with(aside) || (of_use && directory == staging_name && name == actions_name))
                continue;
            if (of_use && !directory.starts_with("pg_wal/") && (is_redo(name) || is_whole_file(name)))
                target.rename(path_in(directory, name), path_in(directory, prefix_of(set) + name));
            else
                target.remove_tree(path_in(directory, name));
        }
    }
    if (of_use)
        target.rename(staged_actions_path, path_in(staging_name, prefix_of(set) + actions_name));
}

bool can_be_taken_over(const TargetDirectory &target)
{
    return target.exists(staged_actions_path) || next_set(target) > 1;
}

std::vector<EarlierStaging> earlier_staging(const TargetDirectory &target)
{
    std::vector<EarlierStaging> found;
    for (int set = next_set(target) - 1; set >= 1; set--) {
        EarlierStaging earlier;
        earlier.prefix = prefix_of(set);
        try {
            std::string path = path_in(staging_name, earlier.prefix + actions_name);
            auto bytes = target.read_file(path, max_actions_bytes);
            if (!bytes)
                continue;
            earlier.actions = decode_staged_plan(*bytes, target.absolute(path)).actions;
        } catch (const Error &) {
            continue; // written by another version, or cut off: it is fetched again
        }
        for (const std::string &name : target.names_in(staging_name))
            if (name.starts_with(earlier.prefix) && is_redo(std::string_view(name).substr(earlier.prefix.size())))
                earlier.redo_files.push_back(path_in(staging_name, name));
        std::sort(earlier.redo_files.begin(), earlier.redo_files.end());
        found.push_back(std::move(earlier));
    }
    return found;
}

std::string earlier_file_path(const EarlierStaging &earlier, size_t index)
{
    return path_in(staging_directory(earlier.actions.at(index).path), earlier.prefix + format("f%zu", index));
}

void remove_earlier_staging(const TargetDirectory &target)
{
    for (const std::string &directory : staging_directories(target))
        for (const std::string &name : target.names_in(directory))
            if (name.starts_with(aside))
                target.remove_file(path_in(directory, name));
}

} // namespace failback
