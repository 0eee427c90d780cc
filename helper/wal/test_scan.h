// What the tests of scan_wal() have in common.
#pragma once

#include "helper/wal/test_wal.h"
#include "helper/wal/wal_scan.h"

#include <vector>

namespace failback::test {

inline constexpr RelationId table{1663, 5, 16384};

inline WalScanOptions options_for(const TestWal &wal, Lsn start, Lsn divergence)
{
    WalScanOptions options;
    options.history = &wal.history();
    options.segment_size = wal.segment_size();
    options.system_identifier = TestWal::system_identifier;
    options.start = start;
    options.divergence = divergence;
    return options;
}

inline TestRecord touching(uint32_t block, RelationId relation = table, ForkKind fork = ForkKind::main)
{
    return {.blocks = {TestBlock{.relation = relation, .block = block, .fork = fork, .data_bytes = 30}}};
}

inline std::vector<uint32_t> blocks_of(const WalScanResult &result, RelationId relation = table)
{
    std::vector<uint32_t> blocks;
    for (const BlockRun &run : result.blocks.runs(relation, 0, 1000000)) {
        for (uint32_t i = 0; i < run.count; ++i)
            blocks.push_back(run.first + i);
    }
    return blocks;
}

} // namespace failback::test
