#include "helper/wal/segment_provider.h"

#include "common/error.h"
#include "common/file_descriptor.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace failback {

namespace {

constexpr uint32_t most_read_ahead = 64 << 20; // bytes
constexpr size_t window_bytes = 512 * 1024;

// A mapped page that the disk cannot give is no error but a SIGBUS. So every window is brought into memory by a call that
// can fail before anybody looks at it. (Only a page that is pushed out again and then lost would still be one.)
class MappedSegment : public WalSegment {
public:
    MappedSegment(std::string path, FileDescriptor file, unsigned char *address, size_t size)
        : path_(std::move(path)), file_(std::move(file)), address_(address), size_(size), windows_(size / window_bytes + 1)
    {
    }
    ~MappedSegment() override { ::munmap(address_, size_); }
    MappedSegment(const MappedSegment &) = delete;
    MappedSegment &operator=(const MappedSegment &) = delete;

    size_t size() const override { return size_; }
    std::span<const unsigned char> bytes(size_t offset, size_t length) override
    {
        for (size_t window = offset / window_bytes; window * window_bytes < offset + length; window++) {
            if (!windows_[window])
                bring(window);
        }
        return {address_ + offset, length};
    }
    const std::string &name() const override { return path_; }
    // The pages stay in the page cache; a segment can have 1 GB.
    void drop_resident() override
    {
        (void) ::madvise(address_, size_, MADV_DONTNEED);
        windows_.assign(windows_.size(), false);
    }

private:
    void bring(size_t window)
    {
        size_t begin = window * window_bytes;
        size_t length = std::min(window_bytes, size_ - begin);
        // Kernels before 5.14 do not know it, and it does not say why it failed: reading does both.
        if (::madvise(address_ + begin, length, MADV_POPULATE_READ) != 0)
            read_through(begin, length);
        windows_[window] = true;
    }

    void read_through(size_t begin, size_t length) const
    {
        std::vector<unsigned char> piece(128 * 1024);
        for (size_t done = 0; done < length;) {
            ssize_t n = ::pread(file_.get(), piece.data(), std::min(piece.size(), length - done), static_cast<off_t>(begin + done));
            if (n < 0)
                throw io_error("read", path_, errno);
            if (n == 0)
                throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" was cut while it was being read", path_.c_str()),
                            format("It ends at byte %zu of %zu.", begin + done, size_));
            done += static_cast<size_t>(n);
        }
    }

    std::string path_;
    FileDescriptor file_;
    unsigned char *address_;
    size_t size_;
    std::vector<bool> windows_; // in memory when they were last looked at
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
        auto segment = std::make_unique<MappedSegment>(std::move(path), std::move(file), static_cast<unsigned char *>(address),
                                                       segment_size_);
        // Only advice: a segment is read soon, forwards by a scan and backwards by a search. All at once is
        // too much for the largest ones.
        (void) ::madvise(address, segment_size_, segment_size_ <= most_read_ahead ? MADV_WILLNEED : MADV_SEQUENTIAL);
        return segment;
    }

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

    void need_not_keep(Lsn from) override
    {
        for (auto &each : providers_)
            each->need_not_keep(from);
    }

    std::string trouble() const override
    {
        std::string text;
        for (const auto &each : providers_)
            if (std::string one = each->trouble(); !one.empty())
                text += (text.empty() ? "" : "; ") + one;
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
