#include "helper/plan/room_to_grow.h"

#include "common/error.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

FileAction replaced(std::string path, int64_t size)
{
    FileAction action;
    action.kind = FileActionKind::replace;
    action.path = std::move(path);
    action.size = size;
    if (size > 0)
        action.fetch.push_back({0, size});
    return action;
}

TEST(RoomToGrow, IsForWhatAServerReplaces)
{
    std::vector<FileAction> actions = {replaced("pg_logical/replorigin_checkpoint", 24), replaced("pg_twophase/000002F1", 0),
                                       replaced("notes/a", 100), replaced("pg_logical/snapshots/0-1", 100), replaced("pg_xact/0000", 8192),
                                       replaced("base/5/pg_filenode.map", 512)};
    auto limits = leave_room_to_grow(actions);
    ASSERT_EQ(limits.size(), 2u);
    EXPECT_EQ(actions[0].size, 24 + 65536);
    EXPECT_EQ(actions[1].fetch, (std::vector<Extent>{{0, 65536}}));
    EXPECT_EQ(actions[2].size, 100);
}

TEST(RoomToGrow, OfConfigurationFiles)
{
    std::vector<FileAction> actions = {replaced("base/5/16384", 8192), replaced("pg_hba.conf.source", 5000),
                                       replaced("pg_ident.conf", 0), replaced("postgresql.conf", 100'000), FileAction{}};
    actions[1].source_path = "pg_hba.conf";
    actions[4].path = "only.conf";
    auto limits = leave_room_to_grow(actions);
    ASSERT_EQ(limits.size(), 3u);
    EXPECT_EQ(actions[0].size, 8192);
    EXPECT_EQ(actions[1].size, 5000 + 65536);
    EXPECT_EQ(actions[2].fetch, (std::vector<Extent>{{0, 65536}}));
    EXPECT_EQ(actions[3].size, 200'000);
    EXPECT_EQ(actions[4].kind, FileActionKind::remove);

    EXPECT_THROW(check_room_to_grow(actions, limits), Error);
    for (size_t i : {1, 2, 3})
        actions[i].size -= 1;
    EXPECT_NO_THROW(check_room_to_grow(actions, limits));
    actions[3].size += 1;
    EXPECT_THROW(check_room_to_grow(actions, limits), Error);
    actions[3].kind = FileActionKind::remove; // gone on the source meanwhile
    EXPECT_NO_THROW(check_room_to_grow(actions, limits));
}

} // namespace
} // namespace failback
