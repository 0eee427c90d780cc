#include "helper/report/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace failback {
namespace {

TEST(SummaryJson, Complete)
{
    Summary summary;
    summary.divergence = Lsn{0x3000028};
    summary.divergence_timeline = TimelineId{1};
    summary.checkpoint = Lsn{0x2000028};
    summary.checkpoint_timeline = TimelineId{1};
    summary.bytes_fetched = int64_t{1} << 40;
    summary.blocks_replaced = 17;
    summary.phase_seconds[static_cast<size_t>(Phase::fetch)] = 1.5;
    summary.lost = LostWork{};
    summary.lost->commits = 12;
    summary.lost->first_commit_time = 1;
    summary.warnings = {"odd name \xff\"\n"};
    nlohmann::json read = nlohmann::json::parse(summary_json(summary));
    EXPECT_EQ(read["outcome"], "done");
    EXPECT_TRUE(read["error"].is_null());
    EXPECT_EQ(read["divergence"]["lsn"], "0/3000028");
    EXPECT_EQ(read["divergence"]["timeline"], 1);
    EXPECT_TRUE(read["consistent_at"].is_null());
    EXPECT_EQ(read["bytes"]["fetched"], int64_t{1} << 40);
    EXPECT_EQ(read["blocks_replaced"], 17);
    EXPECT_EQ(read["seconds"]["fetch"], 1.5);
    EXPECT_EQ(read["seconds"].size(), phase_count + 1);
    EXPECT_EQ(read["lost_work"]["commits"], 12);
    EXPECT_EQ(read["lost_work"]["first_commit_time"], "2000-01-01T00:00:00.000001Z");
    EXPECT_TRUE(read["lost_work"]["last_commit_time"].is_null());
    EXPECT_EQ(read["warnings"].size(), 1u);
}

TEST(SummaryJson, Failure)
{
    Summary summary;
    summary.outcome = Outcome::failed;
    summary.error = "could not";
    nlohmann::json read = nlohmann::json::parse(summary_json(summary));
    EXPECT_EQ(read["outcome"], "failed");
    EXPECT_EQ(read["error"], "could not");
    EXPECT_TRUE(read["lost_work"].is_null());
}

} // namespace
} // namespace failback
