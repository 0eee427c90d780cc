#include "helper/plan/extent_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace failback {
namespace {

using Extents = std::vector<Extent>;

TEST(ExtentSet, TakesWhatIsThere)
{
    ExtentSet set(Extents{{0, 10}, {20, 10}});
    EXPECT_EQ(set.take({10, 10}), Extents{});
    EXPECT_EQ(set.take({5, 20}), (Extents{{5, 5}, {20, 5}}));
    EXPECT_EQ(set.extents(), (Extents{{0, 5}, {25, 5}}));
    EXPECT_EQ(set.take({5, 20}), Extents{}) << "only once";
    EXPECT_EQ(set.take({26, 1}), (Extents{{26, 1}}));
    EXPECT_EQ(set.extents(), (Extents{{0, 5}, {25, 1}, {27, 3}}));
}

TEST(ExtentSet, WhatIsGivenBackJoinsItsNeighbours)
{
    ExtentSet set(Extents{{0, 30}});
    set.take({10, 10});
    set.put({10, 10});
    set.put({50, 0});
    EXPECT_EQ(set.extents(), (Extents{{0, 30}}));
}

TEST(ExtentSet, AsASetOfBytesWould)
{
    std::mt19937 random(7);
    for (int round = 0; round < 200; round++) {
        ExtentSet set;
        std::set<int64_t> bytes;
        for (int step = 0; step < 40; step++) {
            Extent part{static_cast<int64_t>(random() % 60), static_cast<int64_t>(random() % 12)};
            if (random() % 2 == 0) {
                set.take(part); // so that nothing overlaps
                set.put(part);
                for (int64_t i = 0; i < part.length; i++)
                    bytes.insert(part.offset + i);
            } else {
                int64_t taken = 0;
                for (const Extent &extent : set.take(part))
                    taken += extent.length;
                int64_t expected = 0;
                for (int64_t i = 0; i < part.length; i++)
                    expected += static_cast<int64_t>(bytes.erase(part.offset + i));
                EXPECT_EQ(taken, expected);
            }
            std::set<int64_t> found;
            for (const Extent &extent : set.extents())
                for (int64_t i = 0; i < extent.length; i++)
                    found.insert(extent.offset + i);
            ASSERT_EQ(found, bytes);
        }
    }
}

} // namespace
} // namespace failback
