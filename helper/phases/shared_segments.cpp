#include "helper/phases/shared_segments.h"

#include "helper/pg_frontend.h"

namespace failback {

namespace {

class FetchedSegment : public WalSegment {
public:
    FetchedSegment(std::string name, std::vector<unsigned char> content) : name_(std::move(name)), content_(std::move(content)) {}
    size_t size() const override { return content_.size(); }
    std::span<const unsigned char> bytes(size_t offset, size_t length) override { return std::span(content_).subspan(offset, length); }
    const std::string &name() const override { return name_; }

private:
    std::string name_;
    std::vector<unsigned char> content_;
};

class SharedSegments : public SegmentProvider {
public:
    SharedSegments(SegmentProvider &target_wal, Source &source, uint32_t segment_size, Lsn divergence)
        : target_wal_(target_wal), source_(source), segment_size_(segment_size), divergence_(divergence)
    {
    }

    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override
    {
        if (auto segment = target_wal_.open(timeline, segno))
            return segment;
        // The largest segments that there can be are more than one call brings.
        if ((segno + 1) * static_cast<uint64_t>(segment_size_) > divergence_.value || segment_size_ >= max_bytes_per_call)
            return nullptr;
        if (!reader_)
            reader_ = source_.open_reader();
        std::string path = "pg_wal/" + wal_segment_name(timeline, segno, static_cast<uint32_t>(segment_size_));
        auto content = read_whole_file(*reader_, path, segment_size_);
        // One that is shorter is of no use, and its records are checked as the target's own are.
        if (!content || static_cast<int64_t>(content->size()) != segment_size_)
            return nullptr;
        pg_log_debug("read %s from the source: the target no longer has it", path.c_str());
        return std::make_unique<FetchedSegment>("the source's " + path, std::move(*content));
    }

    std::string trouble() const override { return target_wal_.trouble(); }

private:
    SegmentProvider &target_wal_;
    Source &source_;
    const int64_t segment_size_;
    const Lsn divergence_;
    std::unique_ptr<ChunkReader> reader_;
};

} // namespace

std::unique_ptr<SegmentProvider> make_shared_segments(SegmentProvider &target_wal, Source &source, uint32_t segment_size,
                                                      Lsn divergence)
{
    return std::make_unique<SharedSegments>(target_wal, source, segment_size, divergence);
}

} // namespace failback
