#include "helper/source/source.h"

#include "helper/source/paced_reader.h"

namespace failback {

void Source::limit_reads(int64_t bytes_per_second)
{
    read_limiter_ = bytes_per_second > 0 ? std::make_shared<RateLimiter>(bytes_per_second) : nullptr;
}

std::unique_ptr<ChunkReader> Source::open_reader()
{
    return paced_reader(make_reader(), read_limiter_);
}

std::optional<std::vector<unsigned char>> read_whole_file(ChunkReader &reader, std::string_view path, int64_t limit)
{
    std::vector<unsigned char> content;
    std::vector<unsigned char> buffer;
    bool vanished = false;
    ByteRange range{path, 0, limit + 1};
    reader.read(std::span(&range, 1), [&](const ChunkRow &row) {
        if (row.results[0] == range_vanished) {
            vanished = true;
            return;
        }
        auto bytes = row_content(row, buffer);
        content.insert(content.end(), bytes.begin(), bytes.end());
    });
    if (vanished)
        return std::nullopt;
    if (static_cast<int64_t>(content.size()) > limit)
        throw Error(ErrorCode::data_corrupted,
                    format("file \"%s\" on the source is longer than the %lld bytes expected at most",
                           std::string(path).c_str(), static_cast<long long>(limit)));
    return content;
}

std::span<const unsigned char> row_content(const ChunkRow &row, std::vector<unsigned char> &buffer)
{
    CompressionId id = compression_id(row.compression);
    if (id == CompressionId::none)
        return row.payload;
    buffer.resize(static_cast<size_t>(row.raw_size));
    try {
        find_compression(id).decompress(row.payload, buffer);
    } catch (const Error &error) {
        // Its checksum is right: it was sent so.
        throw Error(ErrorCode::protocol_violation, format("the source sent what cannot be unpacked: %s", error.what()));
    }
    return buffer;
}

} // namespace failback
