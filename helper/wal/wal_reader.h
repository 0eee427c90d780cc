// Records of WAL one after another, each checked: position, link to the one before, CRC.
#pragma once

#include "helper/wal/wal_pages.h"
#include "helper/wal/wal_record.h"

#include <optional>
#include <span>
#include <vector>

namespace failback {

class WalReader {
public:
    WalReader(SegmentProvider &segments, const WalOrigin &origin) : pages_(segments, origin) {}

    // The next record read is the one that starts at `start`; the start of a page or segment stands for the
    // first byte after its header. Its link to the one before is then only checked for plausibility.
    void seek(Lsn start)
    {
        position_ = start;
        last_ = {};
    }

    // As seek(), to the first record that starts in the page at `page` or in one after it. Throws
    // Error(data_corrupted), Error(undefined_file) where such a page is missing.
    void seek_page(Lsn page);

    // As seek(), to a record near before `before`, an already read page's distance or one long record away.
    // Throws Error(data_corrupted), Error(undefined_file) where WAL is missing, and Error(wrong_state) if no
    // record starts before.
    void seek_before(Lsn before);

    // Reads the next record. false where there is no valid one: this is how WAL ends, torn, recycled, empty
    // or missing; failure() says which. Throws where a segment is not of this cluster (see WalPages::load).
    bool next(WalRecord &record);

    // The header of the record at `start` (a record's exact start), CRC unchecked, `end` and `pieces` not set.
    bool read_header(Lsn start, WalRecord &record);

    // Where the record after the last one starts, if there is one: after the page's header.
    Lsn position() const;
    const WalFailure &failure() const { return failure_; }
    // failure() as an Error: `message`, and where and why as its detail.
    Error failure_error(const std::string &message) const;
    uint32_t segment_size() const { return pages_.segment_size(); }

private:
    enum class Outcome { valid, invalid, overwritten };
    Outcome read_at(Lsn start, const WalPage &page, WalRecord &record);
    Outcome gather(Lsn start, uint32_t total_length, const WalPage &page, Lsn &end);
    std::optional<Lsn> first_start(const WalPage &page) const;
    bool link_is_right(Lsn start, Lsn previous) const;
    Outcome fail(Lsn at, std::string reason);
    Outcome fail_as_pages();

    WalPages pages_;
    Lsn position_;
    Lsn last_;      // start of the last record read, 0 after seek()
    Lsn restart_;   // page that replaces the rest of a record that was never completed
    WalFailure failure_;
    std::vector<std::span<const unsigned char>> pieces_;
};

} // namespace failback
