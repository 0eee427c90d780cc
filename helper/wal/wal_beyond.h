// Does WAL really end where reading it came to an end?
#pragma once

#include "helper/wal/wal_pages.h"

#include <optional>
#include <set>
#include <string>

namespace failback {

// The place of a page of the same history that lies further on than reading could come: then WAL is damaged or has a hole
// before it. Nothing if there is none.
//
// What a server that is killed leaves after its last whole record is the first pages of one record at the most (XLogWrite writes
// pages in their order, and flushes a segment before it begins the next); pages of recycled segments name other places. After a
// power failure a later page of the last segment may be there when an earlier one is not: that is taken for damage too.
//
// `end` is where the record starts that could not be read (WalReader::position()); `present` are the names of the segments that
// are looked at after the one with `end`. Throws what the provider throws.
std::optional<Lsn> find_wal_beyond(SegmentProvider &segments, const WalOrigin &origin, Lsn end, const std::set<std::string> &present);

} // namespace failback
