#include "helper/target/staged_plan.h"

#include "common/checksum.h"
#include "common/error.h"

#include <gtest/gtest.h>

#include <optional>
namespace failback {
namespace {

using Bytes = std::vector<unsigned char>;

StagedPlan sample()
{
    StagedPlan plan;
    FileAction action;
    action.path = "base/5/16384";
    action.kind = FileActionKind::patch;
    action.size = int64_t{3} << 30;
    plan.actions.push_back(action);
    action.path = "base/6";
    action.kind = FileActionKind::remove;
    action.file_kind = FileKind::directory;
    action.size = 0;
    plan.actions.push_back(action);
    action.path = "pg_tblspc/16385";
    action.kind = FileActionKind::create_symlink;
    action.link_target = "/space";
    plan.actions.push_back(action);
    action.path = "pg_wal/000000010000000000000001";
    action.kind = FileActionKind::replace;
    action.staging = StagingKind::whole_file;
    plan.actions.push_back(action);
    plan.redo_files.push_back({"pg_failback.staging/blocks.0", 12345});
    plan.local_files.push_back({"backup_label", "START WAL LOCATION\n"});
    plan.local_files.push_back({"standby.signal", ""});
    plan.control_file = {0, 1, 2, 255};
    return plan;
}

StagedPlan decode(const Bytes &bytes)
{
    return decode_staged_plan(bytes, "plan");
}

// The error's code, or nothing if it is accepted.
std::optional<ErrorCode> error_of(const Bytes &bytes)
{
    try {
        decode(bytes);
        return std::nullopt;
    } catch (const Error &error) {
        return error.code();
    }
}

// With a right checksum, as a program of another mind would have written it.
Bytes resealed(Bytes bytes)
{
    bytes.erase(bytes.end() - 16, bytes.end());
    Checksum sum = default_checksum_algorithm().compute(bytes);
    bytes.insert(bytes.end(), sum.bytes.begin(), sum.bytes.end());
    return bytes;
}

TEST(StagedPlan, RoundTrip)
{
    StagedPlan plan = sample();
    StagedPlan again = decode(encode_staged_plan(plan));
    ASSERT_EQ(again.actions.size(), plan.actions.size());
    for (size_t i = 0; i < plan.actions.size(); i++) {
        EXPECT_EQ(again.actions[i].path, plan.actions[i].path);
        EXPECT_EQ(again.actions[i].kind, plan.actions[i].kind);
        EXPECT_EQ(again.actions[i].file_kind, plan.actions[i].file_kind);
        EXPECT_EQ(again.actions[i].staging, plan.actions[i].staging);
        EXPECT_EQ(again.actions[i].size, plan.actions[i].size);
        EXPECT_EQ(again.actions[i].link_target, plan.actions[i].link_target);
    }
    ASSERT_EQ(again.redo_files.size(), 1u);
    EXPECT_EQ(again.redo_files[0].path, plan.redo_files[0].path);
    EXPECT_EQ(again.redo_files[0].length, 12345);
    ASSERT_EQ(again.local_files.size(), 2u);
    EXPECT_EQ(again.local_files[0].content, plan.local_files[0].content);
    EXPECT_EQ(again.local_files[1].path, "standby.signal");
    EXPECT_EQ(again.control_file, plan.control_file);
    EXPECT_EQ(encode_staged_plan(again), encode_staged_plan(plan));
}

TEST(StagedPlan, AnEmptyOne)
{
    StagedPlan plan = decode(encode_staged_plan({}));
    EXPECT_TRUE(plan.actions.empty());
    EXPECT_TRUE(plan.control_file.empty());
}

TEST(StagedPlan, DamageOfAnyByteIsFound)
{
    Bytes good = encode_staged_plan(sample());
    for (size_t at = 0; at < good.size(); at++) {
        for (int bit : {0, 3, 7}) {
            Bytes bad = good;
            bad[at] ^= static_cast<unsigned char>(1 << bit);
            EXPECT_EQ(error_of(bad), ErrorCode::data_corrupted) << "byte " << at << " bit " << bit;
        }
    }
}

TEST(StagedPlan, TruncationAndTrailingBytesAreFound)
{
    Bytes good = encode_staged_plan(sample());
    for (size_t size = 0; size < good.size(); size++)
        EXPECT_EQ(error_of(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))), ErrorCode::data_corrupted) << size;
    good.push_back(0);
    EXPECT_EQ(error_of(good), ErrorCode::data_corrupted);
}

TEST(StagedPlan, ContentIsCheckedEvenWhereTheChecksumIsRight)
{
    Bytes good = encode_staged_plan(sample());
    ASSERT_EQ(error_of(resealed(good)), std::nullopt);
    // Every byte set to values that lengths, counts and kinds cannot have: an error or another plan, never a crash.
    for (size_t at = 8; at + 16 < good.size(); at++) {
        for (unsigned char value : {0x00, 0x7f, 0xff}) {
            Bytes odd = good;
            odd[at] = value;
            (void) error_of(resealed(odd));
        }
    }
    Bytes extra = good;
    extra.insert(extra.end() - 16, 0);
    EXPECT_EQ(error_of(resealed(extra)), ErrorCode::data_corrupted);
    Bytes kind = good;
    kind[16] = 200; // kind of the first action, after magic and count
    EXPECT_EQ(error_of(resealed(kind)), ErrorCode::data_corrupted);
}

TEST(StagedPlan, AnotherVersionsPlanIsToldApart)
{
    Bytes other = encode_staged_plan(sample());
    other[0]++;
    EXPECT_EQ(error_of(resealed(other)), ErrorCode::not_supported);
}

TEST(StagedPlan, UnsafePathsAreRefused)
{
    for (const char *path : {"", "/etc/passwd", "../x", "base/../../x", "base//x", "base/", "a\nb"}) {
        StagedPlan plan = sample();
        plan.actions[1].path = path;
        EXPECT_TRUE(error_of(encode_staged_plan(plan))) << "action " << path;
        plan = sample();
        plan.redo_files[0].path = path;
        EXPECT_TRUE(error_of(encode_staged_plan(plan))) << "redo " << path;
        plan = sample();
        plan.local_files[0].path = path;
        EXPECT_TRUE(error_of(encode_staged_plan(plan))) << "local " << path;
    }
}

TEST(StagedPlan, NegativeSizesAreRefused)
{
    StagedPlan plan = sample();
    plan.actions[0].size = -1;
    EXPECT_EQ(error_of(encode_staged_plan(plan)), ErrorCode::data_corrupted);
}

} // namespace
} // namespace failback
