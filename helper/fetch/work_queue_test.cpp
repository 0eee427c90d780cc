#include "helper/fetch/work_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace failback {
namespace {

FileAction action(std::string path, std::vector<Extent> fetch)
{
    FileAction action;
    action.path = std::move(path);
    action.fetch = std::move(fetch);
    return action;
}

// "path@offset+length ..." of the next request; "" at the end.
std::string next(WorkQueue &queue)
{
    Request request;
    std::string text;
    bool more = queue.next(request);
    EXPECT_EQ(more, !request.ranges.empty());
    EXPECT_EQ(request.ranges.size(), request.owners.size());
    int64_t bytes = 0;
    for (const ByteRange &range : request.ranges) {
        EXPECT_GT(range.length, 0);
        bytes += range.length;
        text += (text.empty() ? "" : " ") + std::string(range.path) + "@" + std::to_string(range.offset) + "+" + std::to_string(range.length);
    }
    EXPECT_EQ(bytes, request.bytes);
    return text;
}

TEST(WorkQueue, NothingToDo)
{
    std::vector<FileAction> none;
    WorkQueue empty(none, 0, 10, 100);
    EXPECT_EQ(next(empty), "");
    std::vector<FileAction> removals = {action("a", {}), action("b", {})};
    WorkQueue queue(removals, 0, 10, 100);
    EXPECT_EQ(next(queue), "");
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, ManySmallRangesInOneRequest)
{
    std::vector<FileAction> actions = {action("a", {{0, 10}, {20, 10}}), action("b", {}), action("c", {{5, 10}})};
    WorkQueue queue(actions, 0, 10, 100);
    EXPECT_EQ(next(queue), "a@0+10 a@20+10 c@5+10");
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, OwnersAreIndexesIntoTheActions)
{
    std::vector<FileAction> actions = {action("a", {{0, 1}}), action("b", {}), action("c", {{0, 1}})};
    WorkQueue queue(actions, 0, 10, 100);
    Request request;
    ASSERT_TRUE(queue.next(request));
    EXPECT_EQ(request.owners, (std::vector<uint32_t>{0, 2}));
}

TEST(WorkQueue, BeginsWhereItIsTold)
{
    std::vector<FileAction> actions = {action("a", {{0, 1}}), action("b", {{0, 1}})};
    WorkQueue queue(actions, 1, 10, 100);
    EXPECT_EQ(next(queue), "b@0+1");
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, RequestsAreBounded)
{
    std::vector<FileAction> actions = {action("a", {{0, 250}}), action("b", {{0, 1}, {2, 1}, {4, 1}, {6, 1}})};
    WorkQueue queue(actions, 0, 3, 100);
    EXPECT_EQ(next(queue), "a@0+100");
    EXPECT_EQ(next(queue), "a@100+100");
    EXPECT_EQ(next(queue), "a@200+50 b@0+1 b@2+1");
    EXPECT_EQ(next(queue), "b@4+1 b@6+1");
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, AnExtentOfExactlyTheLimit)
{
    std::vector<FileAction> actions = {action("a", {{8, 100}}), action("b", {{0, 100}})};
    WorkQueue queue(actions, 0, 3, 100);
    EXPECT_EQ(next(queue), "a@8+100");
    EXPECT_EQ(next(queue), "b@0+100");
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, TheSourceMayHaveItUnderAnotherName)
{
    std::vector<FileAction> actions = {action("postgresql.conf.source", {{0, 1}})};
    actions[0].source_path = "postgresql.conf";
    WorkQueue queue(actions, 0, 3, 100);
    EXPECT_EQ(next(queue), "postgresql.conf@0+1");
}

TEST(WorkQueue, ClosedNothingMoreIsHandedOut)
{
    std::vector<FileAction> actions = {action("a", {{0, 250}})};
    WorkQueue queue(actions, 0, 3, 100);
    EXPECT_EQ(next(queue), "a@0+100");
    queue.close();
    EXPECT_EQ(next(queue), "");
}

TEST(WorkQueue, SeveralThreadsGetEveryByteOnce)
{
    std::vector<FileAction> actions;
    for (int i = 0; i < 200; i++)
        actions.push_back(action("f" + std::to_string(i), {{0, 77}, {100, 33 + i}}));
    WorkQueue queue(actions, 0, 5, 64);
    std::mutex mutex;
    std::map<std::string, std::map<int64_t, int64_t>> got;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back([&] {
                Request request;
                while (queue.next(request)) {
                    std::lock_guard lock(mutex);
                    for (const ByteRange &range : request.ranges)
                        EXPECT_TRUE(got[std::string(range.path)].emplace(range.offset, range.length).second);
                }
            });
    }
    ASSERT_EQ(got.size(), actions.size());
    for (const FileAction &each : actions) {
        std::vector<Extent> merged;
        for (auto [offset, length] : got[each.path]) {
            if (!merged.empty() && merged.back().offset + merged.back().length == offset)
                merged.back().length += length;
            else
                merged.push_back({offset, length});
        }
        EXPECT_EQ(merged, each.fetch) << each.path;
    }
}

} // namespace
} // namespace failback
