#include "helper/wal/wal_reader.h"

#include "helper/pg_compat.h"
#include "helper/wal/record_crc.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace failback {

namespace {

// Bytes. access/xlogrecord.h has it as XLogRecordMaxSize from 16 on; before that, what one allocation allows (MaxAllocSize).
constexpr uint32_t longest_record = 1024 * 1024 * 1024 - 1;

constexpr uint64_t align(uint64_t bytes)
{
    return (bytes + 7) & ~uint64_t{7};
}

XLogRecord header_at(const unsigned char *bytes)
{
    XLogRecord header;
    std::memcpy(&header, bytes, SizeOfXLogRecord);
    return header;
}

void fill(WalRecord &record, const XLogRecord &header, Lsn start)
{
    record.start = start;
    record.previous = Lsn{header.xl_prev};
    record.total_length = header.xl_tot_len;
    record.xid = header.xl_xid;
    record.resource_manager = header.xl_rmid;
    record.info = header.xl_info;
    record.pieces = {};
}

bool is_xlog(const WalRecord &record, uint8_t info)
{
    return record.resource_manager == RM_XLOG_ID && (record.info & XLR_RMGR_INFO_MASK) == info;
}

// The CRC covers what follows the header, then the header up to the CRC itself.
bool crc_is_right(std::span<const std::span<const unsigned char>> pieces, const XLogRecord &header)
{
    uint32_t state = crc32c_start;
    size_t skip = SizeOfXLogRecord;
    for (const auto &piece : pieces) {
        if (piece.size() <= skip) {
            skip -= piece.size();
            continue;
        }
        state = extend_crc32c(state, piece.data() + skip, piece.size() - skip);
        skip = 0;
    }
    state = extend_crc32c(state, reinterpret_cast<const unsigned char *>(&header), offsetof(XLogRecord, xl_crc));
    return finish_crc32c(state) == header.xl_crc;
}

} // namespace

WalReader::Outcome WalReader::fail(Lsn at, std::string reason)
{
    failure_ = {at, std::move(reason), pages_.segment_name(), false, false};
    return Outcome::invalid;
}

WalReader::Outcome WalReader::fail_as_pages()
{
    failure_ = pages_.failure();
    return Outcome::invalid;
}

Error WalReader::failure_error(const std::string &message) const
{
    return Error(failure_.missing ? ErrorCode::undefined_file : ErrorCode::data_corrupted, message,
                 format("At %s in WAL segment \"%s\": %s.", failure_.at.text().c_str(), failure_.segment.c_str(),
                        failure_.reason.c_str()));
}

bool WalReader::link_is_right(Lsn start, Lsn previous) const
{
    return last_.valid() ? previous == last_ : previous < start;
}

// Collects the pieces of a record that crosses its page. `end` gets the first byte after it, aligned.
WalReader::Outcome WalReader::gather(Lsn start, uint32_t total_length, const WalPage &first, Lsn &end)
{
    uint32_t offset = static_cast<uint32_t>(start.value - first.address.value);
    pieces_.emplace_back(first.bytes + offset, first.size - offset);
    uint32_t left = total_length - (first.size - offset);
    Lsn next = first.address + first.size;
    while (left > 0) {
        const WalPage *page = pages_.load(next);
        if (!page)
            return fail_as_pages();
        if (page->overwrites) {
            restart_ = page->address;
            return Outcome::overwritten;
        }
        if (!page->continues || page->remaining != left)
            return fail(start, format("the page at %s does not continue the record", page->address.text().c_str()));
        uint32_t here = std::min(left, page->size - page->header_size);
        if (page->header_size + here > page->valid_bytes)
            return fail(start, "the record crosses the end of its timeline");
        pieces_.emplace_back(page->bytes + page->header_size, here);
        left -= here;
        end = page->address + align(page->header_size + here);
        next = page->address + page->size;
    }
    return Outcome::valid;
}

WalReader::Outcome WalReader::read_at(Lsn start, const WalPage &page, WalRecord &record)
{
    uint32_t offset = static_cast<uint32_t>(start.value - page.address.value);
    const unsigned char *bytes = page.bytes + offset;
    uint32_t room = page.size - offset; // at least 8 bytes: records are aligned
    uint32_t total_length;
    std::memcpy(&total_length, bytes, sizeof(total_length));
    if (total_length < SizeOfXLogRecord || total_length > longest_record)
        return fail(start, format("the record's length is %u", total_length));

    XLogRecord header = {};
    if (room >= SizeOfXLogRecord) {
        header = header_at(bytes);
        // Before anything else is read: garbage in place of a length must not lead anywhere.
        if (!link_is_right(start, Lsn{header.xl_prev}))
            return fail(start, format("the record names %s as the one before", Lsn{header.xl_prev}.text().c_str()));
    }
    pieces_.clear();
    if (offset + uint64_t{total_length} <= page.valid_bytes) {
        pieces_.emplace_back(bytes, total_length);
        record.end = start + align(total_length);
    } else if (total_length <= room || page.valid_bytes < page.size) {
        return fail(start, "the record crosses the end of its timeline");
    } else {
        Outcome outcome = gather(start, total_length, page, record.end);
        if (outcome != Outcome::valid)
            return outcome;
        if (room < SizeOfXLogRecord) {
            unsigned char joined[SizeOfXLogRecord];
            std::memcpy(joined, bytes, room);
            std::memcpy(joined + room, pieces_[1].data(), SizeOfXLogRecord - room);
            header = header_at(joined);
            if (!link_is_right(start, Lsn{header.xl_prev}))
                return fail(start, format("the record names %s as the one before", Lsn{header.xl_prev}.text().c_str()));
        }
    }
    if (!crc_is_right(pieces_, header))
        return fail(start, "the record's checksum does not match its content");

    fill(record, header, start);
    record.pieces = pieces_;
    if (is_xlog(record, XLOG_SWITCH)) {
        uint64_t size = pages_.segment_size();
        record.end = Lsn{(record.end.value + size - 1) / size * size};
    }
    return Outcome::valid;
}

bool WalReader::next(WalRecord &record)
{
    pages_.release();
    Lsn overwritten;
    Lsn start = position_;
    for (;;) {
        const WalPage *page = pages_.load(start);
        if (!page)
            return fail_as_pages() == Outcome::valid;
        uint64_t offset = start.value - page->address.value;
        if (offset == 0) {
            offset = page->header_size;
            start = page->address + offset;
        }
        if (offset < page->header_size || offset % 8 != 0)
            return fail(start, "no record can start there") == Outcome::valid;
        if (offset == page->header_size && page->continues)
            return fail(start, "the page continues a record that starts before it") == Outcome::valid;
        Outcome outcome = read_at(start, *page, record);
        if (outcome == Outcome::overwritten && !overwritten.valid()) {
            // The record was cut off by a crash; recovery put a record in place of its rest.
            overwritten = start;
            start = restart_;
            continue;
        }
        if (outcome == Outcome::invalid)
            return false;
        if (overwritten.valid() && !is_xlog(record, XLOG_OVERWRITE_CONTRECORD))
            return fail(start, format("no record says that the one at %s was given up", overwritten.text().c_str())) ==
                   Outcome::valid;
        last_ = start;
        position_ = record.end;
        return true;
    }
}

bool WalReader::read_header(Lsn start, WalRecord &record)
{
    pages_.release();
    const WalPage *page = pages_.load(start);
    if (!page)
        return fail_as_pages() == Outcome::valid;
    uint64_t offset = start.value - page->address.value;
    if (offset < page->header_size || offset % 8 != 0)
        return fail(start, "no record can start there") == Outcome::valid;
    unsigned char bytes[SizeOfXLogRecord];
    size_t room = std::min<size_t>(SizeOfXLogRecord, page->size - offset);
    std::memcpy(bytes, page->bytes + offset, room);
    if (room < SizeOfXLogRecord) {
        page = pages_.load(page->address + page->size);
        if (!page)
            return fail_as_pages() == Outcome::valid;
        if (!page->continues || page->remaining < SizeOfXLogRecord - room)
            return fail(start, format("the page at %s does not continue the record", page->address.text().c_str())) ==
                   Outcome::valid;
        std::memcpy(bytes + room, page->bytes + page->header_size, SizeOfXLogRecord - room);
    }
    XLogRecord header = header_at(bytes);
    if (header.xl_tot_len < SizeOfXLogRecord || header.xl_prev >= start.value)
        return fail(start, "no valid record starts there") == Outcome::valid;
    fill(record, header, start);
    return true;
}

Lsn WalReader::position() const
{
    if (position_.value % pages_.segment_size() == 0)
        return position_ + SizeOfXLogLongPHD;
    if (pages_.page_size() != 0 && position_.value % pages_.page_size() == 0)
        return position_ + SizeOfXLogShortPHD;
    return position_;
}

// Where the first record that starts in a page does; none if the page only continues one.
std::optional<Lsn> WalReader::first_start(const WalPage &page) const
{
    uint64_t offset = page.header_size + (page.continues ? align(page.remaining) : 0);
    if (offset >= page.size)
        return std::nullopt;
    return page.address + offset;
}

void WalReader::seek_page(Lsn at)
{
    for (;;) {
        pages_.release();
        const WalPage *page = pages_.load(at);
        if (!page) {
            fail_as_pages();
            throw failure_error(format("could not find a WAL record at or after %s", at.text().c_str()));
        }
        if (std::optional<Lsn> start = first_start(*page)) {
            seek(*start);
            return;
        }
        at = page->address + page->size;
    }
}

void WalReader::seek_before(Lsn before)
{
    pages_.release();
    // Given as the place after a segment's header, `before` may lie in a segment that does not exist yet.
    uint64_t offset = before.value % pages_.segment_size();
    Lsn at{before.value - (offset <= SizeOfXLogLongPHD ? offset : 0)};
    if (at.valid())
        at = Lsn{at.value - 1};
    for (;;) {
        const WalPage *page = pages_.load(at);
        if (!page && pages_.failure().unusable) {
            fail_as_pages();
            throw failure_error(format("could not read WAL before %s", before.text().c_str()));
        }
        Lsn page_start{at.value & ~uint64_t{pages_.page_size() - 1}};
        // A page without a valid header is not the end: zeros follow a WAL switch.
        if (page) {
            std::optional<Lsn> start = first_start(*page);
            if (start && *start < before) {
                seek(*start);
                return;
            }
        }
        if (page_start.value == 0)
            throw Error(ErrorCode::wrong_state, format("no WAL record starts before %s", before.text().c_str()));
        at = Lsn{page_start.value - 1};
        pages_.release();
    }
}

} // namespace failback
