// Does WAL really end where reading it came to an end?
#pragma once

#include "helper/wal/wal_pages.h"

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace failback {

// Segments that may come after the end: the names in the target's pg_wal, whatever else is there.
struct PresentSegments {
    std::set<std::string> names;
    // The first bytes of the file of this name, as many as the span has; false if they cannot be had.
    std::function<bool(const std::string &name, std::span<unsigned char> bytes)> read_start;
};

// The place of a page of the same history that lies further on than reading could come: then WAL is damaged or has a hole
// before it. Nothing if there is none.
//
// What a server that is killed leaves after its last whole record is the first pages of one record at the most (XLogWrite writes
// pages in their order, and flushes a segment before it begins the next); pages of recycled segments name other places. After a
// power failure a later page of the last segment may be there when an earlier one is not: that is taken for damage too.
//
// `end` is where the record starts that could not be read (WalReader::position()). The segment with it is read to its end; `progress`
// is called every few megabytes and may throw to cancel. Throws Error(data_corrupted) where that segment cannot be read.
std::optional<Lsn> find_wal_beyond(SegmentProvider &segments, const WalOrigin &origin, Lsn end, const PresentSegments &present,
                                   const std::function<void(Lsn)> &progress);

} // namespace failback
