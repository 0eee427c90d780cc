#include "helper/wal/wal_pages.h"

#include "helper/pg_compat.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace failback {

namespace {

constexpr uint32_t most_resident = 8 << 20; // bytes of a segment's pages, about

template <class Header> Header read_header(const unsigned char *bytes)
{
    Header header;
    std::memcpy(&header, bytes, sizeof(header));
    return header;
}

bool is_page_size(uint32_t size)
{
    return size >= 1024 && size <= 65536 && (size & (size - 1)) == 0;
}

} // namespace

bool WalPages::fail(WalFailure failure)
{
    failure_ = std::move(failure);
    page_ = {};
    return false;
}

// A page is stamped with the timeline of its first byte.
TimelineId WalPages::timeline_of_page(Lsn address) const
{
    const auto &entries = origin_.history->entries;
    for (auto each = entries.rbegin(); each != entries.rend(); ++each) {
        if (address >= each->begin)
            return each->timeline;
    }
    return {};
}

// Throws where the file is WAL, but not WAL of this cluster as we know it. Stale or empty content is no
// error: that is how recycled and fresh segments look.
void WalPages::check_segment()
{
    auto header = read_header<XLogLongPageHeaderData>(segment_->bytes(0, sizeof(XLogLongPageHeaderData)).data());
    const char *name = segment_->name().c_str();
    if (header.std.xlp_magic == 0 || !(header.std.xlp_info & XLP_LONG_HEADER)) {
        if (header.std.xlp_magic != 0 && header.std.xlp_magic != XLOG_PAGE_MAGIC)
            throw Error(ErrorCode::data_corrupted,
                        format("unknown WAL page magic %04X in WAL segment \"%s\"", header.std.xlp_magic, name));
        return;
    }
    if (header.std.xlp_magic != XLOG_PAGE_MAGIC)
        throw Error(ErrorCode::data_corrupted,
                    format("unknown WAL page magic %04X in WAL segment \"%s\"", header.std.xlp_magic, name),
                    format("This program reads WAL with page magic %04X, as PostgreSQL %s writes it.", XLOG_PAGE_MAGIC,
                           PG_MAJORVERSION),
                    "Use the pg_failback that was built for the cluster's major version.");
    if (header.xlp_sysid != origin_.system_identifier)
        throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" is from another cluster", name),
                    format("Its system identifier is %llu, the cluster's is %llu.",
                           static_cast<unsigned long long>(header.xlp_sysid),
                           static_cast<unsigned long long>(origin_.system_identifier)));
    if (header.xlp_seg_size != origin_.segment_size)
        throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" is of another segment size", name),
                    format("Its header says %u bytes, the cluster's segments have %u.", header.xlp_seg_size,
                           origin_.segment_size));
    if (!is_page_size(header.xlp_xlog_blcksz) || (page_size_ != 0 && header.xlp_xlog_blcksz != page_size_))
        throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" is of another page size", name),
                    page_size_ == 0 ? format("Its header says %u bytes.", header.xlp_xlog_blcksz)
                                    : format("Its header says %u bytes, the other segments have pages of %u.",
                                             header.xlp_xlog_blcksz, page_size_));
    page_size_ = header.xlp_xlog_blcksz;
}

bool WalPages::open(uint64_t segno)
{
    if (segment_)
        held_.push_back(std::move(segment_));
    segment_.reset();
    page_ = {};
    Lsn begin{segno * origin_.segment_size};
    Lsn end = begin + origin_.segment_size;
    std::string newest_name;
    // A segment with a timeline switch in it is named by its last timeline, and the older timeline's copy is
    // right only up to the switch.
    const auto &entries = origin_.history->entries;
    for (auto each = entries.rbegin(); each != entries.rend(); ++each) {
        if (each->begin >= end || (each->end.valid() && each->end <= begin))
            continue;
        if (newest_name.empty())
            newest_name = wal_segment_name(each->timeline, segno, origin_.segment_size);
        segment_ = segments_.open(each->timeline, segno);
        if (segment_) {
            limit_ = each->end.valid() ? std::min(each->end, end) : end;
            break;
        }
    }
    if (!segment_)
        return fail({begin, "the WAL segment is missing", newest_name, true, true});
    if (segment_->size() != origin_.segment_size)
        throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" has the wrong size", segment_->name().c_str()));
    check_segment();
    segno_ = segno;
    return true;
}

const WalPage *WalPages::load_another(Lsn position)
{
    uint64_t segno = segment_number(position);
    if ((!segment_ || segno != segno_) && !open(segno))
        return nullptr;
    Lsn segment_begin{segno * origin_.segment_size};
    // A segment's first page vouches for the others, and says how long they are.
    auto first = read_header<XLogPageHeaderData>(segment_->bytes(0, sizeof(XLogPageHeaderData)).data());
    std::string stale;
    if (first.xlp_magic == 0)
        stale = "the WAL segment is empty";
    else if (!(first.xlp_info & XLP_LONG_HEADER) || first.xlp_pageaddr != segment_begin.value)
        stale = format("the WAL segment starts with the page of %s", Lsn{first.xlp_pageaddr}.text().c_str());
    if (!stale.empty()) {
        fail({position, stale, segment_->name(), false, true});
        segment_.reset();
        return nullptr;
    }

    uint64_t offset = (position.value - segment_begin.value) & ~uint64_t{page_size_ - 1};
    Lsn address = segment_begin + offset;
    const unsigned char *bytes = segment_->bytes(offset, page_size_).data();
    auto header = read_header<XLogPageHeaderData>(bytes);
    std::string reason;
    if (header.xlp_magic != XLOG_PAGE_MAGIC)
        reason = format("the page at %s has magic %04X", address.text().c_str(), header.xlp_magic);
    else if ((header.xlp_info & ~XLP_ALL_FLAGS) != 0 || ((header.xlp_info & XLP_LONG_HEADER) != 0) != (offset == 0))
        reason = format("the page at %s has flags %04X", address.text().c_str(), header.xlp_info);
    else if (header.xlp_pageaddr != address.value)
        reason = format("the page at %s says that it is that of %s", address.text().c_str(),
                        Lsn{header.xlp_pageaddr}.text().c_str());
    else if (header.xlp_tli != timeline_of_page(address).value)
        reason = format("the page at %s is of timeline %u instead of %u", address.text().c_str(), header.xlp_tli,
                        timeline_of_page(address).value);
    else if (address >= limit_)
        reason = format("the WAL segment of the timeline that follows at %s is missing", limit_.text().c_str());
    if (!reason.empty()) {
        fail({position, reason, segment_->name(), address >= limit_, false});
        return nullptr;
    }

    bytes_loaded_ += page_size_;
    if (bytes_loaded_ >= most_resident) {
        segment_->drop_resident();
        bytes_loaded_ = 0;
    }
    page_.bytes = bytes;
    page_.address = address;
    page_.size = page_size_;
    page_.valid_bytes = static_cast<uint32_t>(std::min<uint64_t>(page_size_, limit_.value - address.value));
    page_.header_size = offset == 0 ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;
    page_.remaining = header.xlp_rem_len;
    page_.continues = header.xlp_info & XLP_FIRST_IS_CONTRECORD;
    page_.overwrites = header.xlp_info & XLP_FIRST_IS_OVERWRITE_CONTRECORD;
    return &page_;
}

} // namespace failback
