#include "helper/source/paced_reader.h"

#include "common/block_sums.h"

#include <algorithm>

namespace failback {

namespace {

class PacedReader : public ChunkReader {
public:
    PacedReader(std::unique_ptr<ChunkReader> reader, std::shared_ptr<RateLimiter> limiter)
        : reader_(std::move(reader)), limiter_(std::move(limiter)),
          chunks_per_slice_(std::max<int64_t>(limiter_->rate() / 10 / compared_chunk_bytes, 1))
    {
    }

    void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override
    {
        reader_->read(ranges, on_row);
    }

    // In slices of whole chunks, a tenth of a second's worth of the rate each.
    void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) override
    {
        const int64_t slice_bytes = chunks_per_slice_ * compared_chunk_bytes;
        std::vector<ByteRange> slice;
        std::vector<size_t> asked_as; // the index in the request's ranges of each
        int64_t bytes = 0;
        size_t chunks = 0;            // in this slice
        std::span<const unsigned char> digests = request.digests; // from this slice on
        auto ask = [&] {
            if (slice.empty())
                return;
            limiter_->received(bytes);
            size_t digest_bytes = digests.empty() ? 0 : chunks * block_sum_bytes;
            reader_->checksum_blocks({slice, request.block_size, digests.first(digest_bytes)},
                                     [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
                on_row(asked_as[range], offset, sums);
            });
            digests = digests.subspan(digest_bytes);
            slice.clear();
            asked_as.clear();
            bytes = 0;
            chunks = 0;
        };
        for (size_t i = 0; i < request.ranges.size(); i++) {
            const ByteRange &range = request.ranges[i];
            for (int64_t done = 0; done < range.length;) {
                const int64_t room = slice_bytes - bytes;
                int64_t length = range.length - done;
                if (length > room)
                    length = room / compared_chunk_bytes * compared_chunk_bytes;
                if (length == 0) { // small files have left less than a chunk
                    ask();
                    continue;
                }
                slice.push_back({range.path, range.offset + done, length});
                asked_as.push_back(i);
                chunks += static_cast<size_t>(chunks_in(length));
                done += length;
                bytes += length;
            }
        }
        ask();
    }

    int64_t bytes_received() const override { return reader_->bytes_received(); }

private:
    std::unique_ptr<ChunkReader> reader_;
    std::shared_ptr<RateLimiter> limiter_;
    const int64_t chunks_per_slice_;
};

} // namespace

std::unique_ptr<ChunkReader> paced_reader(std::unique_ptr<ChunkReader> reader, std::shared_ptr<RateLimiter> limiter)
{
    if (!limiter)
        return reader;
    return std::make_unique<PacedReader>(std::move(reader), std::move(limiter));
}

} // namespace failback
