// What going by WAL and comparing contents would each move, and which is cheaper. Pure: no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace failback {

struct WayCosts {
    // By WAL, exactly: what the plan fetches, and the source's WAL from the start of recovery that the target lacks.
    int64_t content_bytes = 0;
    int64_t wal_bytes = 0;
    // By comparing: what is fetched either way (files that the source alone has, or has more of), the content that each
    // side reads, and how many blocks of a random sample of it differ.
    int64_t fetched_anyway = 0;
    int64_t compared_bytes = 0;
    int64_t sampled_blocks = 0;
    int64_t differing_blocks = 0;

    int64_t moved_by_wal() const { return content_bytes + wal_bytes; }
    // Checksums included. The share that differs is taken to be as high as the sample makes believable.
    int64_t moved_by_comparing(int64_t block_size) const;
};

// Whether so much WAL is to be fetched that a sample is worth its while: nothing else can make comparing the cheaper way.
bool worth_sampling(const WayCosts &costs);

// A byte read on both sides is counted as a quarter of one that is moved, written, read again and replayed; and comparing
// has to spare a good deal, as its cost is an estimate.
bool comparing_is_cheaper(const WayCosts &costs, int64_t block_size);

// One line each, for people.
std::string wal_way_text(const WayCosts &costs);
std::string comparing_way_text(const WayCosts &costs, int64_t block_size);
// The same once it is done. Bytes.
std::string compared_text(int64_t moved, int64_t compared);

} // namespace failback
