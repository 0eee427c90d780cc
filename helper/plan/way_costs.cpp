#include "helper/plan/way_costs.h"

#include "common/error.h"

#include <algorithm>
#include <cmath>

namespace failback {

namespace {

constexpr int64_t checksum_bytes = 16; // for each block, over the connection
// What comparing has to spare: below it nobody waits long either way.
constexpr int64_t worth_while = int64_t{256} * 1024 * 1024;

int64_t reading_cost(const WayCosts &costs)
{
    return costs.compared_bytes / 4;
}

std::string megabytes(int64_t bytes)
{
    return format("%lld MB", static_cast<long long>((bytes + 512 * 1024) / (1024 * 1024)));
}

} // namespace

int64_t WayCosts::moved_by_comparing(int64_t block_size) const
{
    double share = 1;
    if (sampled_blocks > 0) {
        // Three standard deviations above what was counted, and three where nothing was.
        auto counted = static_cast<double>(differing_blocks);
        share = std::min(1.0, (counted + 3 * std::sqrt(counted + 1)) / static_cast<double>(sampled_blocks));
    }
    return fetched_anyway + static_cast<int64_t>(share * static_cast<double>(compared_bytes)) +
           compared_bytes / block_size * checksum_bytes;
}

bool worth_sampling(const WayCosts &costs)
{
    return costs.moved_by_wal() > costs.fetched_anyway + reading_cost(costs) + worth_while;
}

bool comparing_is_cheaper(const WayCosts &costs, int64_t block_size)
{
    return costs.moved_by_wal() > costs.moved_by_comparing(block_size) + reading_cost(costs) + worth_while;
}

std::string wal_way_text(const WayCosts &costs)
{
    return format("going by WAL moves %s, %s of it WAL that is replayed", megabytes(costs.moved_by_wal()).c_str(),
                  megabytes(costs.wal_bytes).c_str());
}

std::string comparing_way_text(const WayCosts &costs, int64_t block_size)
{
    return format("comparing contents moves at most about %s and reads %s on both sides (%lld of %lld sampled blocks differ)",
                  megabytes(costs.moved_by_comparing(block_size)).c_str(), megabytes(costs.compared_bytes).c_str(),
                  static_cast<long long>(costs.differing_blocks), static_cast<long long>(costs.sampled_blocks));
}

std::string compared_text(int64_t moved, int64_t compared)
{
    return format("comparing contents moves %s and has read %s on both sides", megabytes(moved).c_str(), megabytes(compared).c_str());
}

} // namespace failback
