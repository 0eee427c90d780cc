#include "helper/cluster/timeline_history.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

TimelineHistory parse(std::string_view text, uint32_t current)
{
    return parse_timeline_history(text, TimelineId{current}, "test.history");
}

std::string error_of(std::string_view text, uint32_t current)
{
    try {
        parse(text, current);
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::data_corrupted);
        return error.what();
    }
    return "";
}

// Timelines 1 to switches + 1, switch n at n * 0x1000000 + offset.
std::string long_history(uint32_t switches, uint64_t last_offset = 0)
{
    std::string text;
    for (uint32_t n = 1; n <= switches; n++)
        text += format("%u\t%s\tno recovery target specified\n", n,
                       Lsn{n * uint64_t{0x1000000} + (n == switches ? last_offset : 0)}.text().c_str());
    return text;
}

TEST(TimelineHistory, FirstTimelineHasNone)
{
    TimelineHistory history = parse("", 1);
    ASSERT_EQ(history.entries.size(), 1u);
    EXPECT_EQ(history.entries[0], (TimelineEntry{TimelineId{1}, Lsn{0}, Lsn{0}}));
}

TEST(TimelineHistory, CommentsBlankLinesAndGaps)
{
    TimelineHistory history = parse("# made by hand\n\n  \t\n1\t0/3000000\tbefore 2000-01-01\n   # again\n\n 4  1/A000028\r\n\n"
                                    "5\t1/A000028", 9);
    ASSERT_EQ(history.entries.size(), 4u);
    EXPECT_EQ(history.entries[0], (TimelineEntry{TimelineId{1}, Lsn{0}, Lsn{0x3000000}}));
    EXPECT_EQ(history.entries[1], (TimelineEntry{TimelineId{4}, Lsn{0x3000000}, Lsn{0x10A000028}}));
    EXPECT_EQ(history.entries[2], (TimelineEntry{TimelineId{5}, Lsn{0x10A000028}, Lsn{0x10A000028}}));
    EXPECT_EQ(history.entries[3], (TimelineEntry{TimelineId{9}, Lsn{0x10A000028}, Lsn{0}}));
    EXPECT_EQ(history.current(), TimelineId{9});
}

TEST(TimelineHistory, TimelineAt)
{
    TimelineHistory history = parse("1\t0/3000000\n2\t0/5000000\n", 3);
    EXPECT_EQ(history.timeline_at(Lsn{0}).value, 1u);
    EXPECT_EQ(history.timeline_at(Lsn{0x2FFFFFF}).value, 1u);
    EXPECT_EQ(history.timeline_at(Lsn{0x3000000}).value, 2u);
    EXPECT_EQ(history.timeline_at(Lsn{0x4FFFFFF}).value, 2u);
    EXPECT_EQ(history.timeline_at(Lsn{0x5000000}).value, 3u);
    EXPECT_EQ(history.timeline_at(Lsn{UINT64_MAX}).value, 3u);
}

TEST(TimelineHistory, ErrorsNameTheLine)
{
    EXPECT_NE(error_of("1\t0/3000000\nnonsense\n", 3).find("line 2 in timeline history file \"test.history\""), std::string::npos);
    EXPECT_NE(error_of("# c\n1 0/3000000\n1 0/4000000\n", 3).find("line 3"), std::string::npos);   // does not increase
    EXPECT_NE(error_of("2 0/3000000\n1 0/4000000\n", 3).find("timelines must increase"), std::string::npos);
    EXPECT_NE(error_of("3 0/3000000\n", 3).find("less than the file's own, 3"), std::string::npos);
    EXPECT_NE(error_of("1 0/3000000\n2 0/2000000\n", 3).find("must not go back"), std::string::npos);
    for (const char *bad : {"1", "1 ", "1 0", "1 0/", "1 /0", "1 0/G", "-1 0/3000000", "0 0/3000000", "1 0/0", "10/3000000",
                            "1 0/3000000x", "1 100000000/0", "99999999999 0/3000000"})
        EXPECT_NE(error_of(bad, 3), "") << bad;
    EXPECT_NE(error_of("", 2).find("has no entries"), std::string::npos);
    EXPECT_NE(error_of("# nothing\n", 2), "");
}

TEST(TimelineHistory, FileName)
{
    EXPECT_EQ(history_file_path(TimelineId{0x1A}), "pg_wal/0000001A.history");
}

TEST(CommonAncestor, AfterElevenSwitchesAndMore)
{
    for (uint32_t switches : {1u, 9u, 10u, 11u, 12u, 40u}) {
        // The target stayed on the last timeline, the source was promoted once more.
        TimelineHistory target = parse(long_history(switches), switches + 1);
        TimelineHistory source = parse(long_history(switches + 1, 0x28), switches + 2);
        CommonAncestor common = find_common_ancestor(target, source);
        EXPECT_EQ(common.target_index, switches);
        EXPECT_EQ(common.source_index, switches);
        EXPECT_EQ(common.divergence.value, (switches + 1) * uint64_t{0x1000000} + 0x28);
    }
}

TEST(CommonAncestor, SourceIsTheAncestor)
{
    CommonAncestor common = find_common_ancestor(parse("1\t0/3000000\n", 2), parse("", 1));
    EXPECT_EQ(common.target_index, 0u);
    EXPECT_EQ(common.divergence.value, 0x3000000u);
}

TEST(CommonAncestor, BothLeftTheSameTimeline)
{
    // Other numbers, and the earlier end counts, whichever side has it.
    TimelineHistory two = parse("1\t0/3000000\n", 2), three = parse("1\t0/4000000\n", 3);
    EXPECT_EQ(find_common_ancestor(two, three).divergence.value, 0x3000000u);
    EXPECT_EQ(find_common_ancestor(three, two).divergence.value, 0x3000000u);
}

TEST(CommonAncestor, SameTimelineOtherBeginIsADivergence)
{
    // Two standbys promoted on their own both got number 2.
    CommonAncestor common = find_common_ancestor(parse("1\t0/3000000\n", 2), parse("1\t0/3000100\n2\t0/9000000\n", 3));
    EXPECT_EQ(common.target_index, 0u);
    EXPECT_EQ(common.source_index, 0u);
    EXPECT_EQ(common.divergence.value, 0x3000000u);
}

TEST(CommonAncestor, SameHistoryIsStillGrowing)
{
    CommonAncestor common = find_common_ancestor(parse("1\t0/3000000\n", 2), parse("1\t0/3000000\n", 2));
    EXPECT_EQ(common.target_index, 1u);
    EXPECT_FALSE(common.divergence.valid());
}

TEST(CommonAncestor, None)
{
    try {
        find_common_ancestor(parse("1\t0/3000000\n", 2), parse("3\t0/3000000\n", 4));
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
    }
}

} // namespace
} // namespace failback
