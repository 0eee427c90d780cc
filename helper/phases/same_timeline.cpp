#include "helper/phases/same_timeline.h"

#include "helper/plan/wal_plan.h"
#include "helper/wal/wal_scan.h"

#include <algorithm>

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

    std::string describe() const override { return inner_.describe(); }

private:
    class CutSegment : public WalSegment {
    public:
        CutSegment(const WalSegment &whole, size_t length)
            : bytes_(whole.bytes().begin(), whole.bytes().end()), name_(whole.name())
        {
            std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(length), bytes_.end(), 0);
        }
        std::span<const unsigned char> bytes() const override { return bytes_; }
        const std::string &name() const override { return name_; }

    private:
        std::vector<unsigned char> bytes_;
        std::string name_;
    };

    SegmentProvider &inner_;
    uint32_t segment_size_;
    Lsn end_;
};

enum class Verdict { equal, differs, unknown };

class Comparer {
public:
    Comparer(SegmentProvider &target_wal, const Inspection &inspection, Source &source, Lsn target_end)
        : target_wal_(target_wal), inspection_(inspection), reader_(source.open_reader()), end_(target_end)
    {
    }

    std::optional<Lsn> run()
    {
        const uint64_t size = inspection_.segment_size;
        uint64_t first = inspection_.target_history.entries.back().begin.value / size;
        std::optional<Lsn> difference;
        for (uint64_t segment = (end_.value - 1) / size;; segment--) {
            Lsn at;
            Verdict verdict = compare(segment, at);
            if (verdict == Verdict::unknown)
                throw Error(ErrorCode::undefined_file,
                            format("the source no longer has the WAL before %s that would show where it and the target parted",
                                   Lsn{(segment + 1) * size}.text().c_str()),
                            format("Both servers are on timeline %u.", inspection_.target_history.current().value),
                            "Take a new base backup of the source.");
            if (verdict == Verdict::differs)
                difference = at;
            // A segment that begins equal, or is equal, ends the search: WAL that has parted stays apart.
            if (verdict == Verdict::equal || at.value > segment * size || segment == first)
                break;
        }
        if (!difference)
            return std::nullopt;
        return record_boundary(*difference);
    }

private:
    // First differing byte of the segment, below the end of the target's WAL.
    Verdict compare(uint64_t segment, Lsn &at)
    {
        const uint64_t size = inspection_.segment_size;
        auto mine = target_wal_.open(inspection_.target_history.current(), segment);
        auto theirs = read_whole_file(*reader_, "pg_wal/" + wal_segment_name(inspection_.source_history, segment,
                                                                             inspection_.segment_size, Lsn{(segment + 1) * size}),
                                      static_cast<int64_t>(size));
        if (!mine || !theirs || theirs->size() != size)
            return Verdict::unknown;
        auto bytes = mine->bytes().first(std::min(size, end_.value - segment * size));
        auto difference = std::mismatch(bytes.begin(), bytes.end(), theirs->begin());
        if (difference.first == bytes.end())
            return Verdict::equal;
        at = Lsn{segment * size + static_cast<uint64_t>(difference.first - bytes.begin())};
        return Verdict::differs;
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
    Lsn end_;
};

} // namespace

std::optional<Lsn> find_same_timeline_divergence(SegmentProvider &target_wal, const Inspection &inspection,
                                                 Source &source, Lsn target_end)
{
    return Comparer(target_wal, inspection, source, target_end).run();
}

} // namespace failback
