// One WAL record as it stands in its segments (access/xlogrecord.h), and what it says of blocks.
#pragma once

#include "common/path_rules.h"
#include "helper/cluster/lsn.h"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace failback {

struct WalRecord {
    Lsn start; // of its header
    Lsn end;   // where the next one may start: aligned to 8 bytes, or the segment's end after a WAL switch
    Lsn previous;              // start of the record before; 0 for the first of a cluster
    uint32_t total_length = 0; // bytes, header and all
    uint32_t xid = 0;
    uint8_t resource_manager = 0;
    uint8_t info = 0;
    // The record's bytes in order, cut at page borders. Valid until the reader moves on.
    std::span<const std::span<const unsigned char>> pieces;
};

struct BlockReference {
    RelationId relation;
    uint32_t block = 0;
    uint16_t image_bytes = 0; // of the page image as stored, 0 if there is none
    uint8_t id = 0;
    uint8_t fork = 0;         // ForkKind
    bool has_image = false;
    bool image_applied = false; // replay restores the image; else it is there for verification only
};

inline constexpr size_t max_block_references = 33; // XLR_MAX_BLOCK_ID + 1

// Made once and filled again for each record.
struct DecodedRecord {
    std::array<BlockReference, max_block_references> references;
    size_t reference_count = 0;
    uint32_t main_data_bytes = 0; // the last bytes of the record
    uint32_t image_bytes = 0;     // of all page images
    std::span<const BlockReference> blocks() const { return {references.data(), reference_count}; }
};

// Takes the headers of `record` apart. Throws Error(data_corrupted) with its position where they do not add up.
void decode_record(const WalRecord &record, DecodedRecord &decoded);

// The record's main data in one run: where it lies, or copied to `space` when it crosses pages.
std::span<const unsigned char> main_data(const WalRecord &record, const DecodedRecord &decoded,
                                         std::vector<unsigned char> &space);

} // namespace failback
