#include "helper/plan/way_costs.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

constexpr int64_t gigabyte = int64_t{1} << 30;

WayCosts costs(int64_t wal, int64_t cluster, int64_t sampled, int64_t differing)
{
    WayCosts costs;
    costs.content_bytes = 50 << 20;
    costs.wal_bytes = wal;
    costs.compared_bytes = cluster;
    costs.sampled_blocks = sampled;
    costs.differing_blocks = differing;
    return costs;
}

TEST(WayCosts, MuchWalForASmallClusterIsDear)
{
    EXPECT_TRUE(comparing_is_cheaper(costs(10 * gigabyte, gigabyte, 4096, 400), 8192));
    // Even if every block differs.
    EXPECT_TRUE(comparing_is_cheaper(costs(10 * gigabyte, gigabyte, 4096, 4096), 8192));
}

TEST(WayCosts, ReadingEverythingForLittleWalIsDearer)
{
    EXPECT_FALSE(comparing_is_cheaper(costs(gigabyte, 100 * gigabyte, 4096, 0), 8192));
    EXPECT_FALSE(worth_sampling(costs(gigabyte, 100 * gigabyte, 0, 0)));
}

TEST(WayCosts, LittleIsNotWorthTheTrouble)
{
    EXPECT_FALSE(comparing_is_cheaper(costs(200 << 20, 10 << 20, 4096, 0), 8192));
    EXPECT_FALSE(worth_sampling(costs(150 << 20, 10 << 20, 0, 0)));
}

TEST(WayCosts, WhatDiffersDecides)
{
    // 8 GB of WAL, 16 GB of relations: reading counts as 4 GB.
    EXPECT_TRUE(worth_sampling(costs(8 * gigabyte, 16 * gigabyte, 0, 0)));
    EXPECT_TRUE(comparing_is_cheaper(costs(8 * gigabyte, 16 * gigabyte, 4096, 400), 8192));
    EXPECT_FALSE(comparing_is_cheaper(costs(8 * gigabyte, 16 * gigabyte, 4096, 1200), 8192));
}

TEST(WayCosts, AnUnsureShareIsTakenHigh)
{
    WayCosts none = costs(0, gigabyte, 4096, 0);
    EXPECT_GT(none.moved_by_comparing(8192), gigabyte / 512 + gigabyte / 4096);
    WayCosts unknown = costs(0, gigabyte, 0, 0);
    EXPECT_GE(unknown.moved_by_comparing(8192), gigabyte);
    EXPECT_LE(costs(0, gigabyte, 100, 99).moved_by_comparing(8192), gigabyte + gigabyte / 512);
}

TEST(WayCosts, WhatCostsNothingToSampleAwayCannotBeMissed)
{
    for (int64_t wal = 0; wal < 4 * gigabyte; wal += 100 << 20)
        for (int64_t differing : {0, 10, 1000})
            EXPECT_TRUE(worth_sampling(costs(wal, 2 * gigabyte, 0, 0)) ||
                        !comparing_is_cheaper(costs(wal, 2 * gigabyte, 4096, differing), 8192));
}

TEST(WayCosts, Texts)
{
    WayCosts some = costs(gigabyte, 2 * gigabyte, 4096, 41);
    EXPECT_EQ(wal_way_text(some), "going by WAL moves 1074 MB, 1024 MB of it WAL that is replayed");
    EXPECT_EQ(comparing_way_text(some, 8192), "comparing contents moves at most about 34 MB and reads 2048 MB on both sides"
                                              " (41 of 4096 sampled blocks differ)");
}

} // namespace
} // namespace failback
