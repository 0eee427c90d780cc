// Pages of WAL along a timeline history: opens the right segment files and checks their page headers.
#pragma once

#include "helper/wal/segment_provider.h"

#include <memory>
#include <string>
#include <vector>

namespace failback {

// Which WAL is read.
struct WalOrigin {
    const TimelineHistory *history = nullptr;
    uint32_t segment_size = 0;      // bytes
    uint64_t system_identifier = 0;
};

// Why there is no valid page or record at a position.
struct WalFailure {
    Lsn at;
    std::string reason;      // in the words of a detail message, without the final period
    std::string segment;     // file concerned
    bool missing = false;    // the segment is not there
    bool unusable = false;   // the whole segment: missing, empty or left over from earlier WAL
};

// A page whose header was checked (access/xlog_internal.h, XLogPageHeaderData).
struct WalPage {
    const unsigned char *bytes = nullptr;
    Lsn address;
    uint32_t size = 0;        // bytes
    uint32_t valid_bytes = 0; // size, or less where the file's own timeline ends in this page
    uint32_t header_size = 0; // bytes
    uint32_t remaining = 0;   // bytes of a record continued from the page before that come from here on
    bool continues = false;   // XLP_FIRST_IS_CONTRECORD
    bool overwrites = false;  // XLP_FIRST_IS_OVERWRITE_CONTRECORD
};

class WalPages {
public:
    WalPages(SegmentProvider &segments, const WalOrigin &origin) : segments_(segments), origin_(origin) {}

    // The page that holds `position`, nullptr if there is no valid one: failure() says why. Valid until the
    // next call; its bytes until release(). Throws Error(data_corrupted) where a segment is of another
    // cluster, PostgreSQL version, segment size or page size, and what the provider throws.
    const WalPage *load(Lsn position)
    {
        // Not loaded: the size is 0.
        if (position.value - page_.address.value < page_.size)
            return &page_;
        return load_another(position);
    }

    // The bytes of all segments but the current one may go.
    void release() { held_.clear(); }

    uint64_t segment_number(Lsn position) const { return position.value / origin_.segment_size; }
    uint32_t segment_size() const { return origin_.segment_size; }
    uint32_t page_size() const { return page_size_; } // bytes; 0 before the first segment is open
    const WalFailure &failure() const { return failure_; }
    // The current segment's file, or the one that failed.
    std::string segment_name() const { return segment_ ? segment_->name() : failure_.segment; }

private:
    const WalPage *load_another(Lsn position);
    bool open(uint64_t segno);
    void check_segment();
    TimelineId timeline_of_page(Lsn address) const;
    bool fail(WalFailure failure);

    SegmentProvider &segments_;
    WalOrigin origin_;
    std::unique_ptr<WalSegment> segment_;
    uint64_t segno_ = 0;
    Lsn limit_;              // first byte in the current segment that its file cannot be trusted for
    uint32_t page_size_ = 0; // bytes, from the first segment's header
    uint32_t bytes_loaded_ = 0; // of the current segment, since memory was last given back
    WalPage page_;
    WalFailure failure_;
    std::vector<std::unique_ptr<WalSegment>> held_;
};

} // namespace failback
