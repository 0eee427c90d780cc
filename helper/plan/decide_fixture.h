// What the tests of decide() need: manifests, and its answer as a map from paths to actions.
#pragma once

#include "helper/plan/decide.h"
#include "helper/plan/test_sizes.h"

#include <gtest/gtest.h>

#include <map>

namespace failback {

inline constexpr int64_t megabyte = 1024 * 1024;

inline FileEntry file(std::string path, int64_t size = 0, std::string content = "")
{
    FileEntry entry;
    entry.path = std::move(path);
    entry.size = size;
    if (!content.empty()) {
        entry.has_checksum = true;
        entry.checksum = default_checksum_algorithm().compute({reinterpret_cast<const unsigned char *>(content.data()), content.size()});
    }
    return entry;
}

inline FileEntry directory(std::string path)
{
    FileEntry entry = file(std::move(path));
    entry.kind = FileKind::directory;
    return entry;
}

inline FileEntry link(std::string path, std::string where)
{
    FileEntry entry = file(std::move(path));
    entry.kind = FileKind::symlink;
    entry.link_target = std::move(where);
    return entry;
}

class DecideTest : public testing::Test {
protected:
    const std::map<std::string, FileAction> &run(std::vector<FileEntry> source, std::vector<FileEntry> target)
    {
        sort_manifest(source);
        sort_manifest(target);
        DecideInput input;
        input.source = &source;
        input.target = &target;
        input.blocks = &blocks;
        input.foreign = foreign;
        input.own_keys = own_keys;
        input.config = [this](std::string_view path, bool on_target, bool on_source, bool identical) {
            config_asked = std::string(path) + (on_target ? " target" : "") + (on_source ? " source" : "") + (identical ? " identical" : "");
            // As the real policy does with copies that an earlier run has left.
            return path.ends_with(".source") ? ConfigChoice::remove : choice;
        };
        input.source_copy_name = [](std::string_view path) { return std::string(path) + ".source"; };
        plan = decide(input);
        actions.clear();
        for (size_t i = 0; i < plan.actions.size(); i++) {
            if (i > 0) {
                EXPECT_LT(plan.actions[i - 1].path, plan.actions[i].path);
            }
            actions[plan.actions[i].path] = plan.actions[i];
        }
        return actions;
    }

    // "", "remove", "replace", "patch", "directory", "symlink"
    std::string what(const std::string &path) const
    {
        auto found = actions.find(path);
        if (found == actions.end())
            return "";
        static const char *names[] = {"remove", "directory", "symlink", "replace", "patch"};
        return names[static_cast<size_t>(found->second.kind)];
    }

    BlockMap blocks;
    ForeignFiles foreign = ForeignFiles::keep_targets;
    std::set<std::string, std::less<>> own_keys;
    ConfigChoice choice = ConfigChoice::keep;
    std::string config_asked;
    Plan plan;
    std::map<std::string, FileAction> actions;
};

} // namespace failback
