#include "helper/report/difference_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace failback {
namespace {

FileDifference relation_file(const char *path, int64_t differing, int64_t blocks)
{
    FileDifference file;
    file.path = path;
    file.relation = parse_relation_path(path);
    file.source_size = file.target_size = blocks * 8192;
    file.blocks = blocks;
    file.differing_blocks = differing;
    return file;
}

DifferenceReport two_segments()
{
    DifferenceReport report;
    report.difference.files = {relation_file("base/5/16400", 2, 131072), relation_file("base/5/16400.1", 1, 10)};
    report.difference.differing_relation_files = 2;
    report.difference.differing_blocks = 3;
    report.difference.blocks_compared = 131082;
    report.difference.files_compared = 900;
    report.names[{1663, 5, 16400}] = {"shop", "public.orders", "table"};
    return report;
}

TEST(DifferenceReport, Nothing)
{
    DifferenceReport report;
    report.difference.files_compared = 900;
    EXPECT_EQ(difference_text(report), "no differences in 900 files\n");
    EXPECT_FALSE(nlohmann::json::parse(difference_json(report))["differs"]);
}

TEST(DifferenceReport, LinesPerFileAndRelation)
{
    EXPECT_EQ(difference_text(two_segments()),
              "differs         base/5/16400: 2 of 131072 blocks, 1.0 GB; shop: public.orders (table)\n"
              "differs         base/5/16400.1: 1 of 10 blocks, 80 kB; shop: public.orders (table)\n"
              "relation        shop: public.orders (table): 3 of 131082 blocks in 2 files\n"
              "3 of 131082 blocks differ in 2 relation files; 0 other files differ; 0 files only on the source, 0 files only on the target\n");
}

TEST(DifferenceReport, FileOfOneSide)
{
    DifferenceReport report;
    FileDifference file = relation_file("base/5/16500_vm", 0, 1);
    file.state = FileState::only_on_target;
    report.difference.files = {file};
    report.names[{1663, 5, 16500}] = {"", "pg_catalog.pg_class", "table"};
    EXPECT_TRUE(difference_text(report).starts_with("only on target  base/5/16500_vm: 8.0 kB; vm fork of pg_catalog.pg_class (table)\n"));
    auto json = nlohmann::json::parse(difference_json(report));
    EXPECT_TRUE(json["files"][0]["source_bytes"].is_null());
    EXPECT_TRUE(json["files"][0]["blocks"].is_null());
    EXPECT_EQ(json["files"][0]["fork"], "vm");
}

TEST(DifferenceReport, Json)
{
    auto json = nlohmann::json::parse(difference_json(two_segments()));
    EXPECT_TRUE(json["differs"]);
    EXPECT_EQ(json["outcome"], "done");
    EXPECT_EQ(json["files"].size(), 2u);
    EXPECT_EQ(json["files"][1]["differing_blocks"], 1);
    EXPECT_EQ(json["files"][1]["relation"]["name"], "public.orders");
    EXPECT_EQ(json["relations"][0]["differing_blocks"], 3);
    DifferenceReport failed;
    failed.error = "could not connect";
    auto report = nlohmann::json::parse(difference_json(failed));
    EXPECT_EQ(report["outcome"], "failed");
    EXPECT_TRUE(report["differs"].is_null());
}

} // namespace
} // namespace failback
