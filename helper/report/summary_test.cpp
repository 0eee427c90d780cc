#include "helper/report/summary.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

constexpr int64_t second = 1000000;
// 2026-11-22 14:23:19 UTC, as PostgreSQL counts.
constexpr int64_t moment = (1795357399 - 946684800LL) * second;

TEST(SizeText, Steps)
{
    EXPECT_EQ(size_text(0), "0 bytes");
    EXPECT_EQ(size_text(1023), "1023 bytes");
    EXPECT_EQ(size_text(1024), "1.0 kB");
    EXPECT_EQ(size_text(8192), "8.0 kB");
    EXPECT_EQ(size_text(680 * 1024 * 1024LL), "680 MB");
    EXPECT_EQ(size_text(1024 * 1024 - 1), "1.0 MB");
    EXPECT_EQ(size_text(int64_t{5} << 40), "5.0 TB");
    EXPECT_EQ(size_text(INT64_MAX), "8.0 EB");
}

TEST(TimestampText, FromPostgresEpoch)
{
    EXPECT_EQ(timestamp_text(0), "2000-01-01T00:00:00.000000Z");
    EXPECT_EQ(timestamp_text(moment + 123456), "2026-11-22T14:23:19.123456Z");
    EXPECT_EQ(timestamp_text(-1), "1999-12-31T23:59:59.999999Z");
}

TEST(LostWork, PlainWords)
{
    LostWork lost;
    EXPECT_TRUE(lost_work_lines(lost, Lsn{0x3000028}, false).empty());
    lost.aborts = 7; // nobody lost anything by these
    EXPECT_TRUE(lost_work_lines(lost, Lsn{0x3000028}, false).empty());

    lost.commits = 1234;
    lost.first_commit_time = moment;
    lost.last_commit_time = moment + 60 * second;
    lost.prepared = 2;
    std::vector<std::string> lines = lost_work_lines(lost, Lsn{0x3000028}, false);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0], "the old primary had 1234 committed transactions after 0/3000028, first at 2026-11-22 14:23:19 UTC, "
                        "last at 2026-11-22 14:24:19 UTC; they are gone");
    EXPECT_EQ(lines[1], "the old primary had prepared 2 transactions after 0/3000028, which are gone");
    EXPECT_TRUE(lost_work_lines(lost, Lsn{0x3000028}, true)[0].ends_with("; they would be gone"));

    lost.commits = 1;
    lost.prepared = 1;
    lines = lost_work_lines(lost, Lsn{0x3000028}, false);
    EXPECT_EQ(lines[0], "the old primary had 1 committed transaction after 0/3000028, at 2026-11-22 14:23:19 UTC; it is gone");
    EXPECT_TRUE(lines[1].ends_with("1 transaction after 0/3000028, which is gone"));
    EXPECT_TRUE(lost_work_lines(lost, Lsn{0x3000028}, true)[0].ends_with("; it would be gone"));
}

TEST(Summary, Lines)
{
    Summary summary;
    summary.bytes_fetched = 680 * 1024 * 1024LL;
    summary.bytes_received = 100 * 1024 * 1024LL;
    summary.files_replaced = 1;
    summary.files_changed = 12;
    summary.blocks_replaced = 3456;
    summary.files_removed = 2;
    summary.files_kept = 900;
    summary.total_seconds = 3.456;
    summary.phase_seconds[static_cast<size_t>(Phase::scan)] = 0.25;
    summary.phase_seconds[static_cast<size_t>(Phase::fetch)] = 3;
    std::vector<std::string> lines = summary_lines(summary);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0], "fetched 680 MB, 100 MB over the connection");
    EXPECT_EQ(lines[1], "1 file written whole, 3456 blocks of 12 files replaced, 2 files removed, 900 files kept as they were");
    EXPECT_EQ(lines[2], "took 3.46 s: scan 0.25 s, fetch 3.00 s");

    summary.outcome = Outcome::dry_run;
    EXPECT_EQ(summary_lines(summary)[0], "would fetch 680 MB");
    summary.outcome = Outcome::no_rewind_required;
    EXPECT_EQ(summary_lines(summary).size(), 1u);
}

TEST(Summary, TakesTimes)
{
    double now = 0;
    Progress progress(false, stderr, false, [&] { return now; });
    progress.start(Phase::plan);
    now = 2;
    progress.finish();
    now = 3;
    Summary summary;
    take_times(summary, progress);
    EXPECT_DOUBLE_EQ(summary.phase_seconds[static_cast<size_t>(Phase::plan)], 2);
    EXPECT_DOUBLE_EQ(summary.total_seconds, 3);
}

} // namespace
} // namespace failback
