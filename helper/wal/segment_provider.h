// Where WAL segments come from: a contract with several kinds behind it (pg_wal, archive, source).
#pragma once

#include "helper/cluster/timeline_history.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace failback {

// One segment's bytes, mapped or read.
class WalSegment {
public:
    virtual ~WalSegment() = default;
    virtual size_t size() const = 0; // bytes; the cluster's segment size
    // `length` bytes from `offset` on, within size(); valid while the object lives. Throws Error naming the segment where
    // the disk does not give them.
    virtual std::span<const unsigned char> bytes(size_t offset, size_t length) = 0;
    virtual const std::string &name() const = 0; // for messages
    // Called now and then while a segment is read: what is resident only because it was read may go. The
    // bytes stay readable.
    virtual void drop_resident() {}
};

class SegmentProvider {
public:
    virtual ~SegmentProvider() = default;
    // The segment `segno` as timeline `timeline` wrote it; nullptr if this provider has none. A file of the
    // wrong size or content is Error(data_corrupted) naming it.
    virtual std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) = 0;
    // From now on segments that begin there or later need not be kept: nobody but who opens them will read them.
    virtual void need_not_keep(Lsn /*from*/) {}
    // Why the last segment that was asked for in vain could not be had, if more is known than that it is not there: one line.
    virtual std::string trouble() const { return {}; }
};

// The 24 hex digits that name a segment's file.
std::string wal_segment_name(TimelineId timeline, uint64_t segno, uint32_t segment_size);

// Segments in a directory such as TARGET/pg_wal; maps them. segment_size in bytes, a power of two from 1 MB to 1 GB.
std::unique_ptr<SegmentProvider> make_directory_provider(std::string directory, uint32_t segment_size);

// Asks each in turn; the first that has it wins.
std::unique_ptr<SegmentProvider> make_chained_provider(std::vector<std::unique_ptr<SegmentProvider>> providers);

} // namespace failback
