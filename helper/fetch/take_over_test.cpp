// An interrupted fetch and the one after it, on real files: what was staged is used, and only where it is still true.
#include "helper/fetch/take_over.h"

#include "common/error.h"
#include "common/test_directory.h"
#include "helper/source/local_reader.h"
#include "helper/target/apply.h"
#include "helper/target/check.h"
#include "helper/target/earlier_staging.h"
#include "helper/target/staging.h"

#include <atomic>
#include <optional>
#include <random>

namespace failback {
namespace {

constexpr uint32_t block_size = 8192;

// Files of a directory; the connection breaks after so many bytes of content.
class BreakingSource : public Source {
public:
    explicit BreakingSource(const std::string &path) : directory_(std::make_shared<BeneathDirectory>(path)) {}

    SourceState state() override { return {}; }
    void list_files(const std::function<void()> &, const std::function<void(FileEntry &&)> &) override {}
    void hold_wal(Lsn) override {}
    SourceState begin_backup() override { return {}; }
    RecoveryEnd recovery_end() override { return {}; }
    std::string describe() const override { return ""; }
    std::unique_ptr<ChunkReader> make_reader() override { return std::make_unique<Reader>(*this); }

    std::atomic<int64_t> bytes_until_break{INT64_MAX};
    std::atomic<int64_t> bytes_read{0};

private:
    class Reader : public ChunkReader {
    public:
        explicit Reader(BreakingSource &source) : source_(source), local_(source.directory_) {}
        void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override
        {
            local_.read(ranges, [&](const ChunkRow &row) {
                if ((source_.bytes_until_break -= row.raw_size) < 0)
                    throw Error(ErrorCode::connection_failure, "the connection is gone");
                source_.bytes_read += row.raw_size;
                on_row(row);
            });
        }
        void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) override
        {
            local_.checksum_blocks(request, on_row);
        }
        int64_t bytes_received() const override { return local_.bytes_received(); }

    private:
        BreakingSource &source_;
        LocalChunkReader local_;
    };

    std::shared_ptr<const BeneathDirectory> directory_;
};

class TakeOverTest : public testing::Test {
protected:
    TakeOverTest() : source(source_files.path())
    {
        target_files.write("global/pg_control", "control");
        target_files.write("pg_wal/x", "");
        for (const char *name : {"base/5/1", "base/5/2", "base/5/3", "base/5/4"}) {
            source_files.write(name, random_bytes(64 * block_size));
            target_files.write(name, random_bytes(64 * block_size));
        }
        source_files.write("conf", "a file of less than a block");
        target.emplace(target_files.path(), TargetDirectory::Access::read_write);
        add("base/5/1", FileActionKind::replace, StagingKind::redo, {{0, 64 * block_size}});
        add("base/5/2", FileActionKind::replace, StagingKind::whole_file, {{0, 64 * block_size}});
        // Scattered blocks, in both ways of staging.
        std::vector<Extent> scattered;
        for (int block = 0; block < 64; block += 3)
            scattered.push_back({block * int64_t{block_size}, block_size});
        add("base/5/3", FileActionKind::patch, StagingKind::redo, scattered);
        add("base/5/4", FileActionKind::patch, StagingKind::whole_file, scattered);
        add("conf", FileActionKind::replace, StagingKind::redo, {{0, 27}});
    }

    static std::string random_bytes(size_t size)
    {
        static std::mt19937_64 random(11);
        std::string bytes(size, 0);
        for (char &byte : bytes)
            byte = static_cast<char>(random());
        return bytes;
    }

    void add(const char *path, FileActionKind kind, StagingKind staging, std::vector<Extent> fetch)
    {
        FileAction action;
        action.path = path;
        action.kind = kind;
        action.staging = staging;
        action.relation = action.path != "conf";
        action.size = fetch.back().length == 27 ? 27 : 64 * block_size;
        action.fetch = std::move(fetch);
        actions.push_back(std::move(action));
    }

    FetchResult fetch()
    {
        create_staging(*target, actions);
        note_actions(*target, actions);
        FetchOptions options;
        options.jobs = 2;
        options.sync = false;
        options.block_size = block_size;
        return fetch_actions(source, *target, actions, 0, options);
    }

    // A run that comes as far as this, and what the next one finds.
    void interrupted_after(int64_t bytes)
    {
        source.bytes_until_break = bytes;
        EXPECT_THROW(fetch(), Error);
        source.bytes_until_break = INT64_MAX;
        source.bytes_read = 0;
        set_aside_staging(*target);
    }

    StagedPlan plan_of(const FetchResult &result) const
    {
        StagedPlan plan;
        plan.actions = actions;
        plan.redo_files = result.redo_files;
        return plan;
    }

    void expect_result(const FetchResult &result)
    {
        StagedPlan plan = plan_of(result);
        plan.control_file = {'n'};
        std::string old3 = target_files.read("base/5/3"), old4 = target_files.read("base/5/4");
        commit(*target, plan, "", false);
        check_staged(*target, plan, 2);
        apply(*target, plan, {.sync = SyncKind::none, .threads = 2, .progress = {}});
        finish(*target, plan, SyncKind::none);
        EXPECT_TRUE(target_files.read("base/5/1") == source_files.read("base/5/1"));
        EXPECT_TRUE(target_files.read("base/5/2") == source_files.read("base/5/2"));
        EXPECT_EQ(target_files.read("conf"), source_files.read("conf"));
        for (auto [name, old] : {std::pair{"base/5/3", &old3}, {"base/5/4", &old4}}) {
            std::string expected = *old, from = source_files.read(name);
            for (size_t block = 0; block < 64; block += 3)
                expected.replace(block * block_size, block_size, from, block * block_size, block_size);
            EXPECT_TRUE(target_files.read(name) == expected) << name;
        }
        EXPECT_EQ(examine_staging(*target), StagingState::none);
    }

    void change_source(const char *name, size_t block)
    {
        std::string bytes = source_files.read(name);
        bytes[block * block_size + 7] ^= 1;
        source_files.write(name, bytes);
    }

    static constexpr int64_t all_bytes = (64 + 64 + 22 + 22) * int64_t{block_size} + 27;
    test::TestDirectory source_files, target_files;
    BreakingSource source;
    std::optional<TargetDirectory> target;
    std::vector<FileAction> actions;
};

TEST_F(TakeOverTest, NothingToTakeOver)
{
    FetchResult result = fetch();
    EXPECT_EQ(result.bytes_taken_over, 0);
    EXPECT_EQ(source.bytes_read, all_bytes);
    expect_result(result);
}

TEST_F(TakeOverTest, WhatWasStagedIsNotFetchedAgain)
{
    interrupted_after(all_bytes * 3 / 4);
    FetchResult result = fetch();
    EXPECT_GT(result.bytes_taken_over, all_bytes / 2);
    EXPECT_EQ(result.bytes_taken_over + source.bytes_read, all_bytes);
    expect_result(result);
}

TEST_F(TakeOverTest, WhatTheSourceHasChangedSinceIsFetched)
{
    interrupted_after(all_bytes - 1);
    for (const char *name : {"base/5/1", "base/5/2", "base/5/3", "base/5/4"})
        for (size_t block : {0, 9, 33})
            change_source(name, block);
    FetchResult result = fetch();
    EXPECT_GT(result.bytes_taken_over, all_bytes / 2);
    EXPECT_GE(source.bytes_read, 12 * int64_t{block_size});
    expect_result(result);
}

TEST_F(TakeOverTest, AFileThatIsGoneOrShorterOnTheSource)
{
    interrupted_after(all_bytes - 1);
    std::string shorter = source_files.read("base/5/2").substr(0, 10 * block_size + 100);
    source_files.write("base/5/2", shorter);
    std::filesystem::remove(source_files / "base/5/1");
    FetchResult result = fetch();
    EXPECT_EQ(actions[0].kind, FileActionKind::remove);
    EXPECT_EQ(actions[1].size, 10 * block_size + 100);
    check_staged(*target, plan_of(result), 2);
}

TEST_F(TakeOverTest, InterruptedAgainAndAgain)
{
    for (int i = 1; i <= 6; i++)
        interrupted_after(all_bytes / 6);
    FetchResult result = fetch();
    EXPECT_GT(result.bytes_taken_over, all_bytes / 3);
    EXPECT_EQ(result.bytes_taken_over + source.bytes_read, all_bytes);
    expect_result(result);
}

TEST_F(TakeOverTest, AnotherPlanTakesWhatItCanUse)
{
    interrupted_after(all_bytes - 1);
    // Other numbers, other ways of staging, less of one file.
    std::vector<FileAction> other = {actions[3], actions[1], actions[0]};
    other[1].staging = StagingKind::redo;
    other[2].staging = StagingKind::whole_file;
    actions = other;
    FetchResult result = fetch();
    EXPECT_GT(result.bytes_taken_over, all_bytes / 2);
    check_staged(*target, plan_of(result), 2);
}

TEST_F(TakeOverTest, DamagedStagingGivesNothingWrong)
{
    for (int round = 0; round < 8; round++) {
        interrupted_after(all_bytes - 1);
        std::mt19937 random(static_cast<unsigned>(round));
        for (const auto &entry : std::filesystem::directory_iterator(target_files / staging_name)) {
            std::string path = std::string(staging_name) + "/" + entry.path().filename().string();
            std::string bytes = target_files.read(path);
            for (int i = 0; i < 5 && !bytes.empty(); i++)
                bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
            if (round % 2 == 1)
                bytes.resize(bytes.size() * 2 / 3);
            target_files.write(path, bytes);
        }
        FetchResult result = fetch();
        check_staged(*target, plan_of(result), 2);
        if (round == 7)
            expect_result(result);
        else
            remove_staging(*target);
    }
}

} // namespace
} // namespace failback
