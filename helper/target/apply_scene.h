// A target, a plan with every kind of action and what is staged for it: shared by the tests of apply and check.
#pragma once

#include "common/checksum.h"
#include "common/payload_compression.h"
#include "common/test_directory.h"
#include "helper/target/apply.h"
#include "helper/target/check.h"
#include "helper/target/record.h"
#include "helper/target/redo_file.h"
#include "helper/target/staging.h"

#include <functional>
#include <map>
#include <optional>

namespace failback::test {

namespace fs = std::filesystem;
using Tree = std::map<std::string, std::string>;

class ApplyScene : public testing::Test {
protected:
    ApplyScene() { target.emplace(files.path(), TargetDirectory::Access::read_write); }

    FileAction &add(std::string path, FileActionKind kind)
    {
        FileAction action;
        action.path = std::move(path);
        action.kind = kind;
        plan.actions.push_back(std::move(action));
        return plan.actions.back();
    }

    // A target before its failback.
    void populate()
    {
        for (const char *name : {"PG_VERSION", "base/6/1", "base/6/2", "postmaster.pid", "pg_wal/000000010000000000000005"})
            files.write(name, name);
        files.write("global/pg_control", "old control");
        files.write("base/5/1", std::string(30, 'o'));
        files.write("base/5/2", std::string(30, 'o'));
        files.write("base/5/3", std::string(30, 'o'));
        files.write("base/5/5", std::string(30, 'o'));
        fs::create_directory(files / "pg_tblspc");
        fs::create_directory_symlink(elsewhere.path(), files / "pg_tblspc/16384");
        elsewhere.write("PG_15_1/5/1", "old");
    }

    // Every kind of action, as decide() orders them: ascending by path.
    void make_plan()
    {
        patch = index("base/5/1", FileActionKind::patch, 30);
        longer = index("base/5/2", FileActionKind::replace, 40);
        whole = index("base/5/3", FileActionKind::replace, 10);
        plan.actions[whole].staging = StagingKind::whole_file;
        created = index("base/5/4", FileActionKind::replace, 0);
        vanished = index("base/5/5", FileActionKind::remove, 30);
        add("base/6", FileActionKind::remove).file_kind = FileKind::directory;
        add("base/6/1", FileActionKind::remove);
        add("base/6/2", FileActionKind::remove);
        add("base/7", FileActionKind::create_directory);
        in_new_directory = index("base/7/1", FileActionKind::replace, 5);
        add("pg_tblspc/16384", FileActionKind::remove).file_kind = FileKind::symlink;
        add("pg_tblspc/16384/PG_15_1", FileActionKind::remove).file_kind = FileKind::directory;
        add("pg_tblspc/16384/PG_15_1/5", FileActionKind::remove).file_kind = FileKind::directory;
        add("pg_tblspc/16384/PG_15_1/5/1", FileActionKind::remove);
        add("pg_tblspc/16390", FileActionKind::create_symlink).link_target = elsewhere / "new";
        add("pg_tblspc/16390/PG_15_1", FileActionKind::create_directory);
        in_tablespace = index("pg_tblspc/16390/PG_15_1/1", FileActionKind::replace, 3);
        segment = index("pg_wal/000000020000000000000004", FileActionKind::replace, 20);
        plan.actions[segment].staging = StagingKind::whole_file;
        add("pg_wal/000000010000000000000005", FileActionKind::remove);
        add("postmaster.pid", FileActionKind::remove);
        plan.local_files = {{"backup_label", "label"}, {"standby.signal", ""}};
        plan.control_file = {'n', 'e', 'w'};
    }

    uint32_t index(std::string path, FileActionKind kind, int64_t size)
    {
        add(std::move(path), kind).size = size;
        return static_cast<uint32_t>(plan.actions.size() - 1);
    }

    void stage()
    {
        create_staging(*target, plan.actions);
        files.write(staged_file_path(plan.actions[whole], whole), "whole file");
        files.write(staged_file_path(plan.actions[segment], segment), "twenty bytes of WAL.");
        RedoWriter first(*target, "pg_failback.staging/blocks.0"), second(*target, "pg_failback.staging/blocks.1");
        append(first, {{patch, 5, 3}, {longer, 0, 20}}, "PPP" + std::string(20, 'L'), CompressionId::none);
        append(second, {{longer, 20, 20}, {in_new_directory, 0, 5}, {vanished, 0, 4}}, std::string(20, 'M') + "seven" + "gone", CompressionId::zstd);
        append(second, {{patch, 28, 2}, {in_tablespace, 0, 3}}, "QQspc", CompressionId::none);
        append_whole(first, whole, "whole file");
        append_whole(second, segment, "twenty bytes of WAL.");
        plan.redo_files = {{first.path(), first.length()}, {second.path(), second.length()}};
        commit(*target, plan, "again", false);
    }

    static void append(RedoWriter &writer, std::vector<RedoPiece> pieces, const std::string &content, CompressionId id)
    {
        std::span<const unsigned char> raw{reinterpret_cast<const unsigned char *>(content.data()), content.size()};
        size_t at = 0;
        for (RedoPiece &piece : pieces) {
            piece.checksum = default_checksum_algorithm().compute(raw.subspan(at, static_cast<size_t>(piece.length)));
            at += static_cast<size_t>(piece.length);
        }
        const CompressionAlgorithm &algorithm = find_compression(id);
        std::vector<unsigned char> packed(algorithm.bound(raw.size()));
        packed.resize(algorithm.compress(raw, packed, algorithm.default_level));
        writer.append({pieces, static_cast<int16_t>(id), static_cast<uint32_t>(raw.size()), packed});
    }

    static void append_whole(RedoWriter &writer, uint32_t action, std::string_view content)
    {
        std::span<const unsigned char> raw{reinterpret_cast<const unsigned char *>(content.data()), content.size()};
        writer.append_checksum({action, 0, static_cast<int64_t>(content.size()), default_checksum_algorithm().compute(raw)});
    }

    Tree expected() const
    {
        return {
            {"PG_VERSION", "file PG_VERSION"},
            {"backup_label", "file label"},
            {"base", "directory"},
            {"base/5", "directory"},
            {"base/5/1", "file oooooPPP" + std::string(20, 'o') + "QQ"},
            {"base/5/2", "file " + std::string(20, 'L') + std::string(20, 'M')},
            {"base/5/3", "file whole file"},
            {"base/5/4", "file "},
            {"base/7", "directory"},
            {"base/7/1", "file seven"},
            {"global", "directory"},
            {"global/pg_control", "file new"},
            {"pg_tblspc", "directory"},
            {"pg_tblspc/16390", "link " + elsewhere / "new"},
            {"pg_wal", "directory"},
            {"pg_wal/000000020000000000000004", "file twenty bytes of WAL."},
            {"standby.signal", "file "},
        };
    }

    void run_apply(SyncKind sync = SyncKind::none, std::function<void(int64_t)> progress = {})
    {
        ApplyOptions options;
        options.sync = sync;
        options.progress = std::move(progress);
        apply(*target, read_staged_plan(*target), options);
    }

    void run_finish() { finish(*target, read_staged_plan(*target), SyncKind::none, [this] { write_record(*target, plan, false); }); }

    // Without the record, which has tests of its own.
    static Tree without_record(Tree tree)
    {
        std::erase_if(tree, [](const auto &entry) { return entry.first.starts_with("pg_failback.record"); });
        return tree;
    }

    void check_done()
    {
        EXPECT_EQ(without_record(files.tree()), expected());
        EXPECT_EQ(elsewhere.read("new/PG_15_1/1"), "spc");
        EXPECT_FALSE(elsewhere.exists("PG_15_1"));
        EXPECT_EQ(examine_staging(*target), StagingState::none);
    }

    void prepare()
    {
        populate();
        make_plan();
        stage();
    }

    TestDirectory files, elsewhere;
    std::optional<TargetDirectory> target;
    StagedPlan plan;
    uint32_t patch = 0, longer = 0, whole = 0, created = 0, vanished = 0, in_new_directory = 0, in_tablespace = 0, segment = 0;
};

} // namespace failback::test
