// Damage is found where it is, before and after apply.
#include "helper/target/check.h"

#include "common/error.h"
#include "helper/target/apply_scene.h"
#include "helper/target/record.h"

#include <algorithm>
#include <mutex>

namespace failback {
namespace {

namespace fs = std::filesystem;
using test::Tree;

class CheckTest : public test::ApplyScene {
protected:
    void flip(const std::string &path)
    {
        std::string bad = files.read(path);
        bad[bad.size() / 2] ^= 1;
        files.write(path, bad);
    }

    std::vector<std::string> defects(const StagedPlan &of)
    {
        std::vector<std::string> found;
        std::mutex mutex;
        check_applied(*target, of, 2, [&](Defect &&defect) {
            std::lock_guard lock(mutex);
            found.push_back(defect.path + "@" + std::to_string(defect.offset) + "+" + std::to_string(defect.length) + " " + defect.problem);
        });
        std::sort(found.begin(), found.end());
        return found;
    }
};

TEST_F(CheckTest, StagedDamageOfEveryKindIsFoundAndNothingChanged)
{
    prepare();
    StagedPlan staged = read_staged_plan(*target);
    check_staged(*target, staged, 2);
    for (const std::string &path : {std::string("pg_failback.staging/blocks.1"), staged_file_path(plan.actions[whole], whole),
                                    staged_file_path(plan.actions[segment], segment)}) {
        std::string good = files.read(path);
        flip(path);
        Tree damaged = files.tree();
        EXPECT_THROW(check_staged(*target, staged, 2), Error) << path;
        EXPECT_EQ(files.tree(), damaged);
        files.write(path, good.substr(0, good.size() - 1));
        EXPECT_THROW(check_staged(*target, staged, 2), Error) << path;
        fs::remove(files / path);
        EXPECT_THROW(check_staged(*target, staged, 2), Error) << path;
        files.write(path, good);
    }
    check_staged(*target, staged, 2);
}

TEST_F(CheckTest, WhatWasRenamedAlreadyIsCheckedInItsPlace)
{
    prepare();
    run_apply();
    StagedPlan staged = read_staged_plan(*target);
    check_staged(*target, staged, 2);
    flip("base/5/3");
    EXPECT_THROW(check_staged(*target, staged, 2), Error);
}

TEST_F(CheckTest, AppliedDamageIsListed)
{
    prepare();
    run_apply();
    StagedPlan staged = read_staged_plan(*target);
    EXPECT_EQ(defects(staged), std::vector<std::string>{});
    std::string patched = files.read("base/5/1");
    patched[6] ^= 1;  // in the piece at 5
    patched[20] ^= 1; // in none
    files.write("base/5/1", patched);
    flip("base/5/3");
    files.write("base/5/4", "not empty");
    fs::remove(files / "base/7/1");
    EXPECT_EQ(defects(staged), (std::vector<std::string>{
                                   "base/5/1@5+3 differs from what was fetched",
                                   "base/5/3@0+10 differs from what was fetched",
                                   "base/5/4@0+0 has 9 bytes instead of 0",
                                   "base/7/1@0+0 is missing",
                               }));
}

TEST_F(CheckTest, TheRecordTellsTheSameWhenStagingIsGone)
{
    prepare();
    EXPECT_FALSE(read_record(*target));
    plan.recovery_start = 77;
    run_apply();
    run_finish();
    auto record = read_record(*target);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->control_file, plan.control_file);
    EXPECT_EQ(record->local_files.size(), 1u);
    EXPECT_EQ(defects(*record), std::vector<std::string>{});
    flip("pg_wal/000000020000000000000004");
    flip("base/5/2");
    EXPECT_EQ(defects(*record), (std::vector<std::string>{
                                    "base/5/2@20+20 differs from what was fetched",
                                    "pg_wal/000000020000000000000004@0+20 differs from what was fetched",
                                }));
    flip("pg_failback.record/plan");
    EXPECT_THROW(read_record(*target), Error);
}

} // namespace
} // namespace failback
