#include "helper/wal/wal_beyond.h"

#include "helper/pg_compat.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace failback {

namespace {

constexpr size_t segment_name_length = 24;
// After so many, memory is given back and progress is told.
constexpr uint64_t bytes_between_signs = 8 << 20;

class Beyond {
public:
    Beyond(SegmentProvider &segments, const WalOrigin &origin, const PresentSegments &present, const std::function<void(Lsn)> &progress)
        : segments_(segments), origin_(origin), present_(present), progress_(progress)
    {
    }

    std::optional<Lsn> find(Lsn end)
    {
        Lsn gap = end;
        try {
            open(end.value / origin_.segment_size, false);
            gap = segment_ ? skip_record(end) : end;
            // Pages further on in the segment where the unbroken row of pages ends.
            if (!found_ && segment_ && gap.value / origin_.segment_size == segno_)
                search_rest(gap);
        } catch (const Error &error) {
            if (error.code() != ErrorCode::io_error)
                throw;
            throw Error(ErrorCode::data_corrupted, error.what(), error.detail(), error.hint());
        }
        return found_ ? found_ : in_segments_after(gap.value / origin_.segment_size);
    }

private:
    void search_rest(Lsn from)
    {
        from = Lsn{from.value - from.value % page_size_};
        uint64_t told = 0;
        for (Lsn page = from; page.value / origin_.segment_size == segno_; page = page + page_size_) {
            if (header_at(page)) {
                found_ = page;
                return;
            }
            if (page.value - from.value >= told + bytes_between_signs) {
                told += bytes_between_signs;
                segment_->drop_resident();
                if (progress_)
                    progress_(page);
            }
        }
    }

    // The first page after the record that begins at `start`, as far as its pages are there in a row; sets found_ where a page
    // follows that does not belong to it.
    Lsn skip_record(Lsn start)
    {
        Lsn page{start.value - start.value % page_size_};
        auto header = header_at(page);
        if (!header)
            return page;
        if (start.value <= page.value + header_size(page)) {
            start = page + header_size(page);
            // Nothing has been read that could be continued here.
            if (header->xlp_info & XLP_FIRST_IS_CONTRECORD) {
                found_ = page;
                return page;
            }
        }
        uint64_t left = length_at(start);
        for (;;) {
            uint64_t room = page.value + page_size_ - start.value;
            left = left > room ? left - room : 0;
            page = page + page_size_;
            if (page.value / origin_.segment_size != segno_) {
                open(page.value / origin_.segment_size, true);
                if (!segment_)
                    return page;
            }
            header = header_at(page);
            if (!header)
                return page;
            if (left == 0 || !(header->xlp_info & XLP_FIRST_IS_CONTRECORD) || header->xlp_rem_len != left) {
                found_ = page;
                return page;
            }
            start = page + header_size(page);
        }
    }

    // What the record says, bytes; 0 where there is none. A record is aligned: its length does not cross a page.
    uint64_t length_at(Lsn start)
    {
        uint32_t length;
        std::memcpy(&length, segment_->bytes(start.value % origin_.segment_size, sizeof length).data(), sizeof length);
        return length < SizeOfXLogRecord ? 0 : length;
    }

    std::optional<Lsn> in_segments_after(uint64_t last) const
    {
        for (const std::string &name : present_.names) {
            auto number = segment_number(name);
            if (!number || *number <= last)
                continue;
            Lsn begin{*number * origin_.segment_size};
            XLogLongPageHeaderData header;
            std::array<unsigned char, sizeof header> bytes;
            if (name != wal_segment_name(origin_.history->timeline_at(begin), *number, origin_.segment_size) ||
                !present_.read_start(name, bytes))
                continue;
            std::memcpy(&header, bytes.data(), sizeof header);
            if (is_first_page(header) && is_at(header.std, begin))
                return begin;
        }
        return std::nullopt;
    }

    std::optional<uint64_t> segment_number(std::string_view name) const
    {
        if (name.size() != segment_name_length)
            return std::nullopt;
        uint64_t parts[2];
        for (size_t i = 0; i < 2; i++) {
            std::string_view digits = name.substr(8 + 8 * i, 8);
            auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parts[i], 16);
            if (error != std::errc() || end != digits.data() + digits.size())
                return std::nullopt;
        }
        return parts[0] * ((uint64_t{1} << 32) / origin_.segment_size) + parts[1];
    }

    // The segment as the newest timeline has it; none if it is not there. Its first page may be what is damaged.
    void open(uint64_t segno, bool only_present)
    {
        segment_.reset();
        segno_ = segno;
        Lsn begin{segno * origin_.segment_size};
        Lsn end = begin + origin_.segment_size;
        const auto &entries = origin_.history->entries;
        for (auto each = entries.rbegin(); each != entries.rend() && !segment_; ++each) {
            if (each->begin >= end || (each->end.valid() && each->end <= begin))
                continue;
            if (!only_present || present_.names.contains(wal_segment_name(each->timeline, segno, origin_.segment_size)))
                segment_ = open_whole(each->timeline, segno);
        }
        if (!segment_)
            return;
        XLogLongPageHeaderData header;
        std::memcpy(&header, segment_->bytes(0, sizeof header).data(), sizeof header);
        uint32_t size = header.xlp_xlog_blcksz;
        if (is_first_page(header) && size >= 1024 && size <= 65536 && (size & (size - 1)) == 0)
            page_size_ = size;
    }

    // A file that is no whole segment proves nothing.
    std::unique_ptr<WalSegment> open_whole(TimelineId timeline, uint64_t segno)
    {
        try {
            return segments_.open(timeline, segno);
        } catch (const Error &error) {
            if (error.code() != ErrorCode::data_corrupted)
                throw;
            return nullptr;
        }
    }

    // Nothing unless it is a page of this history that is at its place.
    std::optional<XLogPageHeaderData> header_at(Lsn page)
    {
        XLogPageHeaderData header;
        std::memcpy(&header, segment_->bytes(page.value % origin_.segment_size, sizeof header).data(), sizeof header);
        return is_at(header, page) ? std::optional(header) : std::nullopt;
    }

    bool is_at(const XLogPageHeaderData &header, Lsn page) const
    {
        bool first = page.value % origin_.segment_size == 0;
        return header.xlp_magic == XLOG_PAGE_MAGIC && header.xlp_pageaddr == page.value &&
               header.xlp_tli == origin_.history->timeline_at(page).value && ((header.xlp_info & XLP_LONG_HEADER) != 0) == first;
    }

    bool is_first_page(const XLogLongPageHeaderData &header) const
    {
        return header.std.xlp_magic == XLOG_PAGE_MAGIC && (header.std.xlp_info & XLP_LONG_HEADER) &&
               header.xlp_sysid == origin_.system_identifier && header.xlp_seg_size == origin_.segment_size;
    }

    uint32_t header_size(Lsn page) const
    {
        return page.value % origin_.segment_size == 0 ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;
    }

    SegmentProvider &segments_;
    const WalOrigin &origin_;
    const PresentSegments &present_;
    const std::function<void(Lsn)> &progress_;
    std::unique_ptr<WalSegment> segment_;
    uint64_t segno_ = 0;
    uint32_t page_size_ = XLOG_BLCKSZ; // bytes; where no first page says otherwise
    std::optional<Lsn> found_;
};

} // namespace

std::optional<Lsn> find_wal_beyond(SegmentProvider &segments, const WalOrigin &origin, Lsn end, const PresentSegments &present,
                                   const std::function<void(Lsn)> &progress)
{
    return Beyond(segments, origin, present, progress).find(end);
}

} // namespace failback
