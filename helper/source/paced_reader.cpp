#include "helper/source/paced_reader.h"

#include <algorithm>

namespace failback {

namespace {

// Less than this at a time would cost more round trips than it spares the source.
constexpr int64_t smallest_slice = 128 * 1024;

class PacedReader : public ChunkReader {
public:
    PacedReader(std::unique_ptr<ChunkReader> reader, std::shared_ptr<RateLimiter> limiter)
        : reader_(std::move(reader)), limiter_(std::move(limiter)),
          bytes_per_slice_(std::max(limiter_->rate() / 10, smallest_slice))
    {
    }

    void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override
    {
        reader_->read(ranges, on_row);
    }

    void checksum_blocks(std::span<const ByteRange> ranges, uint32_t block_size, const ChecksumRow &on_row) override
    {
        const int64_t slice_bytes = bytes_per_slice_ - bytes_per_slice_ % block_size;
        std::vector<ByteRange> slice;
        std::vector<size_t> asked_as; // the index in `ranges` of each
        int64_t bytes = 0;
        auto ask = [&] {
            if (slice.empty())
                return;
            limiter_->received(bytes);
            reader_->checksum_blocks(slice, block_size, [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
                on_row(asked_as[range], offset, sums);
            });
            slice.clear();
            asked_as.clear();
            bytes = 0;
        };
        for (size_t i = 0; i < ranges.size(); i++) {
            for (int64_t done = 0; done < ranges[i].length;) {
                int64_t length = std::min(ranges[i].length - done, slice_bytes - bytes);
                slice.push_back({ranges[i].path, ranges[i].offset + done, length});
                asked_as.push_back(i);
                done += length;
                bytes += length;
                if (bytes == slice_bytes)
                    ask();
            }
        }
        ask();
    }

    int64_t bytes_received() const override { return reader_->bytes_received(); }

private:
    std::unique_ptr<ChunkReader> reader_;
    std::shared_ptr<RateLimiter> limiter_;
    const int64_t bytes_per_slice_;
};

} // namespace

std::unique_ptr<ChunkReader> paced_reader(std::unique_ptr<ChunkReader> reader, std::shared_ptr<RateLimiter> limiter)
{
    if (!limiter)
        return reader;
    return std::make_unique<PacedReader>(std::move(reader), std::move(limiter));
}

} // namespace failback
