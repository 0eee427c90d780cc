// Which blocks, relations and databases the target's WAL says may differ. Filled by wal_scan, read by plan.
#pragma once

#include "common/path_rules.h"

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace failback {

// A run of blocks of one relation's main fork; numbers count from the relation's start, over all its files.
struct BlockRun {
    uint32_t first = 0;
    uint32_t count = 0;
};

class BlockMap {
public:
    BlockMap();
    ~BlockMap();
    BlockMap(BlockMap &&) noexcept;
    BlockMap &operator=(BlockMap &&) noexcept;

    void add_block(const RelationId &relation, uint32_t block);           // main fork
    void add_truncation(const RelationId &relation, uint32_t new_blocks); // from here on every block is suspect
    void add_first_blocks();                                              // block 0 of every relation that has blocks by now
    void add_created(const RelationId &relation);                         // replace whole
    void add_created_database(uint32_t tablespace, uint32_t database);    // replace whole, every file of it

    // Changed blocks with number in [from, to), ascending, merged, the truncation's tail included.
    std::vector<BlockRun> runs(const RelationId &relation, uint32_t from, uint32_t to) const;
    // Created by the target after the divergence (relation or its database): nothing in it can be kept.
    bool replace_whole(const RelationId &relation) const;
    // Every relation that has any entry, ascending (for reports).
    std::vector<RelationId> relations() const;
    uint64_t block_count() const; // blocks added, truncation tails not counted

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace failback
