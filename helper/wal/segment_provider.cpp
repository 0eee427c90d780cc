#include "helper/wal/segment_provider.h"

#include "common/error.h"
#include "common/file_descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace failback {

namespace {

constexpr uint32_t most_read_ahead = 64 << 20; // bytes

class MappedSegment : public WalSegment {
public:
    MappedSegment(std::string path, void *address, size_t size) : path_(std::move(path)), address_(address), size_(size) {}
    ~MappedSegment() override { ::munmap(address_, size_); }
    MappedSegment(const MappedSegment &) = delete;
    MappedSegment &operator=(const MappedSegment &) = delete;

    std::span<const unsigned char> bytes() const override { return {static_cast<const unsigned char *>(address_), size_}; }
    const std::string &name() const override { return path_; }
    // The pages stay in the page cache; a segment can have 1 GB.
    void drop_resident() override { (void) ::madvise(address_, size_, MADV_DONTNEED); }

private:
    std::string path_;
    void *address_;
    size_t size_;
};

class DirectoryProvider : public SegmentProvider {
public:
    DirectoryProvider(std::string directory, uint32_t segment_size)
        : directory_(std::move(directory)), segment_size_(segment_size) {}

    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override
    {
        std::string path = directory_ + "/" + wal_segment_name(timeline, segno, segment_size_);
        FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) {
            if (errno == ENOENT)
                return nullptr;
            throw io_error("open", path, errno);
        }
        struct stat status;
        if (::fstat(file.get(), &status) != 0)
            throw io_error("stat", path, errno);
        if (!S_ISREG(status.st_mode) || status.st_size != static_cast<off_t>(segment_size_))
            throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" has the wrong size", path.c_str()),
                        format("The file has %lld bytes, a segment of this cluster has %u.",
                               static_cast<long long>(status.st_size), segment_size_));
        void *address = ::mmap(nullptr, segment_size_, PROT_READ, MAP_SHARED, file.get(), 0);
        if (address == MAP_FAILED)
            throw io_error("map", path, errno);
        auto segment = std::make_unique<MappedSegment>(std::move(path), address, segment_size_);
        // Only advice: a segment is read soon, forwards by a scan and backwards by a search. All at once is
        // too much for the largest ones.
        (void) ::madvise(address, segment_size_, segment_size_ <= most_read_ahead ? MADV_WILLNEED : MADV_SEQUENTIAL);
        return segment;
    }

    std::string describe() const override { return "directory \"" + directory_ + "\""; }

private:
    std::string directory_;
    uint32_t segment_size_;
};

class ChainedProvider : public SegmentProvider {
public:
    explicit ChainedProvider(std::vector<std::unique_ptr<SegmentProvider>> providers) : providers_(std::move(providers)) {}

    std::unique_ptr<WalSegment> open(TimelineId timeline, uint64_t segno) override
    {
        for (auto &each : providers_) {
            if (auto segment = each->open(timeline, segno))
                return segment;
        }
        return nullptr;
    }

    std::string describe() const override
    {
        std::string text;
        for (const auto &each : providers_)
            text += (text.empty() ? "" : ", ") + each->describe();
        return text;
    }

private:
    std::vector<std::unique_ptr<SegmentProvider>> providers_;
};

} // namespace

std::string wal_segment_name(TimelineId timeline, uint64_t segno, uint32_t segment_size)
{
    uint64_t segments_per_number = (uint64_t{1} << 32) / segment_size;
    return format("%08X%08X%08X", timeline.value, static_cast<uint32_t>(segno / segments_per_number),
                  static_cast<uint32_t>(segno % segments_per_number));
}

std::unique_ptr<SegmentProvider> make_directory_provider(std::string directory, uint32_t segment_size)
{
    return std::make_unique<DirectoryProvider>(std::move(directory), segment_size);
}

std::unique_ptr<SegmentProvider> make_chained_provider(std::vector<std::unique_ptr<SegmentProvider>> providers)
{
    return std::make_unique<ChainedProvider>(std::move(providers));
}

} // namespace failback
