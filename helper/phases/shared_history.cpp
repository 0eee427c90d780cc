#include "helper/phases/shared_history.h"

#include "common/checksum.h"
#include "common/path_text.h"
#include "helper/phases/shared_segments.h"
#include "helper/plan/wal_plan.h"
#include "helper/wal/wal_reader.h"
#include "helper/wal/wal_scan.h"

#include <algorithm>
#include <cstring>

namespace failback {

namespace {

// The target's WAL cut off at a position: what comes after reads as zeros.
class CutProvider : public SegmentProvider {
public:
    CutProvider(SegmentProvider &inner, uint32_t segment_size, Lsn end) : inner_(inner), segment_size_(segment_size), end_(end) {}

    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override
    {
        Lsn begin{segno * segment_size_};
        if (begin >= end_)
            return nullptr;
        std::unique_ptr<WalSegment> whole = inner_.open(timeline, segno);
        if (!whole || begin + segment_size_ <= end_)
            return whole;
        return std::make_unique<CutSegment>(*whole, end_.value - begin.value);
    }

private:
    class CutSegment : public WalSegment {
    public:
        CutSegment(WalSegment &whole, size_t length) : name_(whole.name())
        {
            auto kept = whole.bytes(0, length);
            bytes_.assign(kept.begin(), kept.end());
            bytes_.resize(whole.size());
        }
        size_t size() const override { return bytes_.size(); }
        std::span<const unsigned char> bytes(size_t offset, size_t length) override
        {
            return std::span(bytes_).subspan(offset, length);
        }
        const std::string &name() const override { return name_; }

    private:
        std::vector<unsigned char> bytes_;
        std::string name_;
    };

    SegmentProvider &inner_;
    uint32_t segment_size_;
    Lsn end_;
};

class NoSegments : public SegmentProvider {
public:
    std::unique_ptr<WalSegment> open(TimelineId, uint64_t) override { return nullptr; }
};

constexpr uint32_t block_bytes = 8192; // compared at a time; no relation to the cluster's block size
// A shared beginning of a segment shorter than this proves nothing: headers are alike in any two histories.
constexpr uint64_t telling_bytes = 64 * 1024;

class HistoryComparer {
public:
    HistoryComparer(SegmentProvider &target_wal, const Inspection &inspection, Source &source, Lsn since, Lsn upto)
        : target_wal_(target_wal), inspection_(inspection), reader_(source.open_reader()), since_(since), upto_(upto)
    {
    }

    std::optional<Lsn> run()
    {
        const uint64_t size = inspection_.segment_size;
        std::optional<Lsn> difference;
        for (uint64_t segment = (upto_.value - 1) / size;; segment--) {
            uint64_t length = std::min(size, upto_.value - segment * size);
            std::optional<Lsn> at = first_difference(segment, length);
            if (at)
                difference = at;
            // WAL that has parted stays apart: what comes before a shared segment is shared.
            if ((!at && length >= telling_bytes) || segment * size <= since_.value)
                break;
        }
        if (!difference)
            return std::nullopt;
        if (*difference < since_)
            throw Error(ErrorCode::wrong_state, format("the histories part before %s, where both have the same timelines", since_.text().c_str()));
        return record_boundary(*difference);
    }

private:
    [[noreturn]] void unknown(uint64_t segment, const char *who, const std::string &name) const
    {
        throw Error(ErrorCode::undefined_file,
                    format("the %s no longer has the WAL before %s that would show where the histories part (segment \"%s\")", who,
                           Lsn{(segment + 1) * inspection_.segment_size}.text().c_str(), name.c_str()));
    }

    // A standby may not have received it yet.
    bool is_beyond_source(uint64_t segment) const
    {
        return inspection_.source_state.in_recovery && segment * inspection_.segment_size >= inspection_.source_state.current.value;
    }

    // The target's segment under the newest of its timelines that has any of it: a timeline begins with a copy of what
    // came before it in the segment, and the older file may have been renamed (.partial) then.
    std::unique_ptr<WalSegment> target_segment(uint64_t segment)
    {
        const auto &entries = inspection_.target_history.entries;
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
            if (entry->begin.value >= (segment + 1) * inspection_.segment_size)
                continue;
            if (auto found = target_wal_.open(entry->timeline, segment))
                return found;
        }
        unknown(segment, "target",
                wal_segment_name(inspection_.target_history, segment, inspection_.segment_size, Lsn{(segment + 1) * inspection_.segment_size}));
    }

    std::optional<Lsn> first_difference(uint64_t segment, uint64_t length)
    {
        const uint64_t size = inspection_.segment_size;
        auto mine = target_segment(segment);
        std::string path = "pg_wal/" + wal_segment_name(inspection_.source_history, segment, inspection_.segment_size,
                                                        Lsn{(segment + 1) * size});
        auto rounded = static_cast<int64_t>(length - length % block_bytes);
        auto differing = static_cast<int64_t>(length - length % block_bytes); // first block that differs, or the odd rest
        int64_t answered = 0;
        ByteRange whole{path, 0, rounded};
        if (rounded > 0) {
            reader_->checksum_blocks({std::span(&whole, 1), block_bytes}, [&](size_t, int64_t offset, std::span<const unsigned char> sums) {
                constexpr size_t sum_size = 16;
                for (size_t i = 0; i * sum_size < sums.size(); i++) {
                    int64_t at = offset + static_cast<int64_t>(i * block_bytes);
                    auto sum = default_checksum_algorithm().compute(mine->bytes(static_cast<size_t>(at), block_bytes));
                    if (at < differing && std::memcmp(sum.bytes.data(), &sums[i * sum_size], sum_size) != 0)
                        differing = at;
                    answered = at + block_bytes;
                }
            });
            if (answered == 0 && is_beyond_source(segment))
                return Lsn{segment * size};
            if (answered != rounded)
                unknown(segment, "source", std::string(last_part(path)));
        }
        return difference_in_block(segment, path, *mine, differing,
                                   std::min<int64_t>(block_bytes, static_cast<int64_t>(length) - differing));
    }

    std::optional<Lsn> difference_in_block(uint64_t segment, const std::string &path, WalSegment &mine, int64_t offset,
                                           int64_t length)
    {
        if (length <= 0)
            return std::nullopt;
        std::vector<unsigned char> theirs;
        std::vector<unsigned char> buffer;
        ByteRange range{path, offset, length};
        reader_->read(std::span(&range, 1), [&](const ChunkRow &row) {
            if (row.results[0] == range_vanished)
                return;
            auto bytes = row_content(row, buffer);
            theirs.insert(theirs.end(), bytes.begin(), bytes.end());
        });
        if (theirs.empty() && offset == 0 && is_beyond_source(segment))
            return Lsn{segment * inspection_.segment_size};
        if (theirs.size() != static_cast<size_t>(length))
            unknown(segment, "source", std::string(last_part(path)));
        auto bytes = mine.bytes(static_cast<size_t>(offset), static_cast<size_t>(length));
        auto difference = std::mismatch(bytes.begin(), bytes.end(), theirs.begin());
        if (difference.first == bytes.end())
            return std::nullopt;
        return Lsn{segment * inspection_.segment_size + static_cast<uint64_t>(offset) +
                   static_cast<uint64_t>(difference.first - bytes.begin())};
    }

    // Start of the record that holds the byte at `difference`: the target's WAL, cut there, ends at that record.
    Lsn record_boundary(Lsn difference)
    {
        const ControlFile &control = inspection_.target_control;
        Checkpoint before = find_last_checkpoint(target_wal_, inspection_.target_history, inspection_.segment_size,
                                                 control.data.system_identifier, difference);
        CutProvider cut(target_wal_, inspection_.segment_size, difference);
        WalScanOptions options;
        options.history = &inspection_.target_history;
        options.segment_size = inspection_.segment_size;
        options.system_identifier = control.data.system_identifier;
        options.start = before.redo;
        options.divergence = Lsn{~uint64_t{0}};
        options.at_least = before.redo;
        return scan_wal(cut, options).end_of_wal;
    }

    SegmentProvider &target_wal_;
    const Inspection &inspection_;
    std::unique_ptr<ChunkReader> reader_;
    Lsn since_;
    Lsn upto_;
};

} // namespace

bool source_goes_on(SegmentProvider &target_wal, const Inspection &inspection, Source &source, Lsn divergence)
{
    WalOrigin origin{&inspection.target_history, inspection.segment_size, inspection.target_control.data.system_identifier};
    // The last record that both have: what follows it on the source must name it, or it is a leftover in a recycled file.
    WalReader mine(target_wal, origin);
    mine.seek_before(divergence);
    WalRecord record;
    std::optional<Lsn> last_common;
    while (mine.next(record) && record.start < divergence)
        last_common = record.start;
    NoSegments none;
    auto segments = make_shared_segments(none, source, inspection.segment_size, Lsn{~uint64_t{0}});
    WalReader theirs(*segments, origin);
    theirs.seek(last_common.value_or(divergence));
    if (last_common && !theirs.next(record))
        return false;
    return theirs.next(record);
}

std::optional<Lsn> find_hidden_divergence(SegmentProvider &target_wal, const Inspection &inspection, Source &source,
                                          Lsn since, Lsn upto)
{
    return HistoryComparer(target_wal, inspection, source, since, upto).run();
}

} // namespace failback
