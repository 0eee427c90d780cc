// Writes WAL in memory, in PostgreSQL's format, for the unit tests of this room.
#pragma once

#include "helper/pg_compat.h"
#include "helper/wal/record_crc.h"
#include "helper/wal/segment_provider.h"

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace failback::test {

struct TestBlock {
    RelationId relation{1663, 5, 16384};
    uint32_t block = 0;
    ForkKind fork = ForkKind::main;
    uint32_t image_bytes = 0; // 0: no image
    uint16_t data_bytes = 0;
    bool same_relation = false;
};

struct TestRecord {
    uint8_t resource_manager = RM_HEAP_ID;
    uint8_t info = 0;
    uint32_t xid = 700;
    std::vector<TestBlock> blocks = {};
    std::string main_data = {};
};

template <class Data> std::string bytes_of(const Data &data)
{
    return std::string(reinterpret_cast<const char *>(&data), sizeof(data));
}

class TestWal : public SegmentProvider {
public:
    explicit TestWal(uint32_t segment_size = 65536, uint32_t page_size = 8192, Lsn start = Lsn{0x1000000})
        : segment_size_(segment_size), page_size_(page_size), position_(start)
    {
        history_.entries.push_back({TimelineId{1}, Lsn{}, Lsn{}});
    }

    static constexpr uint64_t system_identifier = 7000000000000000001;
    const TimelineHistory &history() const { return history_; }
    uint32_t segment_size() const { return segment_size_; }
    uint32_t page_size() const { return page_size_; }
    // Where the next record will start, the page's header skipped.
    Lsn next_start()
    {
        make_page_header(0, 0);
        return position_;
    }
    Lsn end() const { return position_; } // of the last record, aligned
    Lsn last() const { return previous_; } // start of the last record

    // Returns the record's start.
    Lsn append(const TestRecord &record) { return append_bytes(encode(record)); }

    // A record with these bytes after its header, whatever they are, under a right checksum.
    Lsn append_raw(const TestRecord &header, const std::string &body) { return append_bytes(with_header(header, body)); }
    // The next record names this one as the one before.
    void set_previous(Lsn previous) { previous_ = previous; }

    // A heap record of exactly `total_length` bytes (at least 40).
    Lsn append_sized(uint32_t total_length)
    {
        // header, block header, relation, block number, then the data's own header: 5 bytes when long
        uint32_t rest = total_length - SizeOfXLogRecord;
        uint32_t data = rest <= 2 + 255 ? rest - 2 : rest - 5;
        return append({.main_data = std::string(data, 'x')});
    }

    // Room left in the page for the next record, bytes.
    uint32_t room_in_page()
    {
        next_start();
        return page_size_ - static_cast<uint32_t>(position_.value % page_size_);
    }

    Lsn append_switch()
    {
        Lsn start = append({.resource_manager = RM_XLOG_ID, .info = XLOG_SWITCH});
        position_ = Lsn{(position_.value + segment_size_ - 1) / segment_size_ * segment_size_};
        return start;
    }

    Lsn append_checkpoint(Lsn redo, bool shutdown = false, bool full_page_writes = true)
    {
        CheckPoint data;
        std::memset(&data, 0, sizeof(data));
        data.redo = redo.valid() ? redo.value : next_start().value;
        data.ThisTimeLineID = history_.current().value;
        data.fullPageWrites = full_page_writes;
        uint8_t info = shutdown ? XLOG_CHECKPOINT_SHUTDOWN : XLOG_CHECKPOINT_ONLINE;
        return append({.resource_manager = RM_XLOG_ID, .info = info, .main_data = bytes_of(data)});
    }

    // A record whose rest was never written: only what fits into its first page.
    Lsn append_torn(uint32_t total_length)
    {
        std::string bytes = encode({.main_data = std::string(total_length, 'y')});
        Lsn start = next_start();
        uint32_t room = room_in_page();
        put(position_, bytes.data(), room);
        position_ = position_ + room;
        return start;
    }

    // What recovery writes in place of the torn record's rest; call it right after append_torn().
    Lsn append_overwrite(Lsn overwritten)
    {
        make_page_header(XLP_FIRST_IS_OVERWRITE_CONTRECORD, 0);
        xl_overwrite_contrecord data{overwritten.value, 0};
        return append({.resource_manager = RM_XLOG_ID, .info = XLOG_OVERWRITE_CONTRECORD, .main_data = bytes_of(data)});
    }

    // A promotion at the end of the last record: the segment is copied to the new timeline's name.
    void begin_timeline(uint32_t timeline)
    {
        uint64_t segno = position_.value / segment_size_;
        auto found = segments_.find({history_.current().value, segno});
        if (found != segments_.end())
            segments_[{timeline, segno}] = found->second;
        history_.entries.back().end = position_;
        history_.entries.push_back({TimelineId{timeline}, position_, Lsn{}});
    }

    // The bytes at `at` in the current timeline's copy, to damage them.
    unsigned char *at(Lsn lsn) { return at(lsn, history_.current().value); }
    unsigned char *at(Lsn lsn, uint32_t timeline)
    {
        auto &bytes = segments_[{timeline, lsn.value / segment_size_}];
        bytes.resize(segment_size_);
        return bytes.data() + lsn.value % segment_size_;
    }

    void remove_segment(uint32_t timeline, Lsn lsn) { segments_.erase({timeline, lsn.value / segment_size_}); }
    void put(Lsn lsn, const void *data, size_t size) { std::memcpy(at(lsn), data, size); }

    // Recalculates the CRC of a record that lies in one page, after its bytes were changed.
    void seal(Lsn record)
    {
        XLogRecord header;
        std::memcpy(&header, at(record), SizeOfXLogRecord);
        header.xl_crc = crc(header, at(record) + SizeOfXLogRecord, header.xl_tot_len - SizeOfXLogRecord);
        put(record, &header, SizeOfXLogRecord);
    }

    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override
    {
        ++opened;
        auto found = segments_.find({timeline.value, segno});
        if (found == segments_.end())
            return nullptr;
        return std::make_unique<Segment>(found->second, wal_segment_name(timeline, segno, segment_size_));
    }
    int opened = 0;

private:
    struct Segment : WalSegment {
        Segment(const std::vector<unsigned char> &content, std::string name) : content_(content), name_(std::move(name)) {}
        size_t size() const override { return content_.size(); }
        std::span<const unsigned char> bytes(size_t offset, size_t length) override
        {
            return std::span(content_).subspan(offset, length);
        }
        const std::string &name() const override { return name_; }
        const std::vector<unsigned char> content_; // a copy: use after its end is found by the sanitizers
        std::string name_;
    };

    static uint32_t crc(const XLogRecord &header, const unsigned char *data, size_t size)
    {
        uint32_t state = extend_crc32c(crc32c_start, data, size);
        state = extend_crc32c(state, reinterpret_cast<const unsigned char *>(&header), offsetof(XLogRecord, xl_crc));
        return finish_crc32c(state);
    }

    std::string encode(const TestRecord &record)
    {
        std::string headers, payload;
        uint8_t id = 0;
        for (const TestBlock &block : record.blocks) {
            uint8_t flags = static_cast<uint8_t>(block.fork);
            flags |= block.image_bytes ? BKPBLOCK_HAS_IMAGE : 0;
            flags |= block.data_bytes ? BKPBLOCK_HAS_DATA : 0;
            flags |= block.same_relation ? BKPBLOCK_SAME_REL : 0;
            headers += static_cast<char>(id++);
            headers += static_cast<char>(flags);
            headers += bytes_of(block.data_bytes);
            if (block.image_bytes) {
                headers += bytes_of(static_cast<uint16_t>(block.image_bytes)) + bytes_of(uint16_t{100});
                headers += static_cast<char>(BKPIMAGE_APPLY | BKPIMAGE_HAS_HOLE);
            }
            if (!block.same_relation)
                headers += bytes_of(block.relation.tablespace) + bytes_of(block.relation.database) + bytes_of(block.relation.number);
            headers += bytes_of(block.block);
            payload += std::string(block.image_bytes, 'i') + std::string(block.data_bytes, 'd');
        }
        if (record.main_data.size() > 255) {
            headers += static_cast<char>(XLR_BLOCK_ID_DATA_LONG);
            headers += bytes_of(static_cast<uint32_t>(record.main_data.size()));
        } else if (!record.main_data.empty()) {
            headers += static_cast<char>(XLR_BLOCK_ID_DATA_SHORT);
            headers += static_cast<char>(record.main_data.size());
        }
        return with_header(record, headers + payload + record.main_data);
    }

    std::string with_header(const TestRecord &record, const std::string &body) const
    {
        XLogRecord header;
        std::memset(&header, 0, sizeof(header));
        header.xl_tot_len = static_cast<uint32_t>(SizeOfXLogRecord + body.size());
        header.xl_xid = record.xid;
        header.xl_prev = previous_.value;
        header.xl_info = record.info;
        header.xl_rmid = record.resource_manager;
        header.xl_crc = crc(header, reinterpret_cast<const unsigned char *>(body.data()), body.size());
        return std::string(reinterpret_cast<const char *>(&header), SizeOfXLogRecord) + body;
    }

    // Steps over the page's header, writing it, if the position is at a page's start.
    void make_page_header(uint16_t flags, uint32_t remaining)
    {
        if (position_.value % page_size_ != 0)
            return;
        XLogLongPageHeaderData header;
        std::memset(&header, 0, sizeof(header));
        bool is_long = position_.value % segment_size_ == 0;
        header.std.xlp_magic = XLOG_PAGE_MAGIC;
        header.std.xlp_info = flags | (is_long ? XLP_LONG_HEADER : 0);
        header.std.xlp_tli = history_.current().value;
        header.std.xlp_pageaddr = position_.value;
        header.std.xlp_rem_len = remaining;
        header.xlp_sysid = system_identifier;
        header.xlp_seg_size = segment_size_;
        header.xlp_xlog_blcksz = page_size_;
        size_t size = is_long ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;
        put(position_, &header, size);
        position_ = position_ + size;
    }

    Lsn append_bytes(const std::string &bytes)
    {
        Lsn start = next_start();
        size_t done = 0;
        while (done < bytes.size()) {
            make_page_header(XLP_FIRST_IS_CONTRECORD, static_cast<uint32_t>(bytes.size() - done));
            size_t here = std::min<size_t>(bytes.size() - done, page_size_ - position_.value % page_size_);
            put(position_, bytes.data() + done, here);
            position_ = position_ + here;
            done += here;
        }
        position_ = Lsn{(position_.value + 7) & ~uint64_t{7}};
        previous_ = start;
        return start;
    }

    uint32_t segment_size_;
    uint32_t page_size_;
    Lsn position_;
    Lsn previous_;
    TimelineHistory history_;
    std::map<std::pair<uint32_t, uint64_t>, std::vector<unsigned char>> segments_;
};

} // namespace failback::test
