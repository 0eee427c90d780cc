#include "helper/target/redo_file.h"

#include "common/checksum.h"
#include "common/chunk_protocol.h"
#include "common/error.h"
#include "common/payload_compression.h"
#include "helper/target/byte_codec.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>

namespace failback {

namespace {

constexpr uint32_t record_magic = 0x32524650; // "PFR2"
constexpr size_t fixed_header = 4 + 4 + 2 + 4 + 4;
constexpr size_t piece_size = 4 + 8 + 8 + default_checksum_size;
constexpr uint32_t max_pieces = 1u << 20;
// Start writing to disk after so many bytes, so that the flush before the commit finds little to do.
constexpr int64_t write_back_step = 16 * 1024 * 1024;

} // namespace

std::span<const unsigned char> redo_content(const RedoRecord &record, std::vector<unsigned char> &buffer)
{
    CompressionId compression = compression_id(record.compression);
    if (compression == CompressionId::none)
        return record.payload;
    buffer.resize(record.raw_size);
    find_compression(compression).decompress(record.payload, buffer);
    return buffer;
}

RedoWriter::RedoWriter(const TargetDirectory &target, std::string path)
    : fd_(target.open_write(path, O_CREAT | O_TRUNC)), path_(std::move(path)), absolute_(target.absolute(path_))
{
}

void RedoWriter::append(const RedoRecord &record)
{
    buffer_.clear();
    ByteWriter out(buffer_);
    out.integer<uint32_t>(record_magic);
    out.integer<uint32_t>(static_cast<uint32_t>(record.pieces.size()));
    out.integer<int16_t>(record.compression);
    out.integer<uint32_t>(record.raw_size);
    out.integer<uint32_t>(static_cast<uint32_t>(record.payload.size()));
    for (const RedoPiece &piece : record.pieces) {
        out.integer<uint32_t>(piece.action);
        out.integer<int64_t>(piece.offset);
        out.integer<int64_t>(piece.length);
        out.bytes(piece.checksum.bytes);
    }
    out.bytes(record.payload);
    out.bytes(default_checksum_algorithm().compute(buffer_).bytes);
    write_at(fd_.get(), buffer_, length_, absolute_);
    length_ += static_cast<int64_t>(buffer_.size());
    if (length_ - written_back_ >= write_back_step) {
        ::sync_file_range(fd_.get(), written_back_, length_ - written_back_, SYNC_FILE_RANGE_WRITE);
        written_back_ = length_;
    }
}

void RedoWriter::append_checksum(const RedoPiece &piece)
{
    append({{&piece, 1}, content_elsewhere, 0, {}});
}

void RedoWriter::sync()
{
    if (::fsync(fd_.get()) != 0)
        throw io_error("flush file", absolute_, errno);
}

namespace {

// Reads record after record; returns the offset of the first that is not whole, or `length`.
int64_t read_records(const TargetDirectory &target, const std::string &path, int64_t length,
                     const std::function<void(const RedoRecord &)> &apply)
{
    FileDescriptor fd = target.open_read(path);
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    std::string absolute = target.absolute(path);
    std::vector<unsigned char> buffer;
    std::vector<RedoPiece> pieces;
    int64_t position = 0;
    while (position < length) {
        buffer.resize(fixed_header);
        if (read_at(fd.get(), buffer, position, absolute) != fixed_header)
            return position;
        ByteReader header(buffer, absolute);
        uint32_t magic = header.integer<uint32_t>();
        uint32_t piece_count = header.integer<uint32_t>();
        RedoRecord record;
        record.compression = header.integer<int16_t>();
        record.raw_size = header.integer<uint32_t>();
        uint32_t stored = header.integer<uint32_t>();
        bool elsewhere = record.compression == content_elsewhere;
        // Bounds before memory: a damaged length must not make us allocate at will.
        if (magic != record_magic || piece_count > max_pieces || record.raw_size > row_payload_bytes ||
            stored > 2 * row_payload_bytes || (elsewhere && (stored != 0 || record.raw_size != 0)) ||
            (!elsewhere && !is_compression_id(record.compression)) ||
            (record.compression == static_cast<int16_t>(CompressionId::none) && stored != record.raw_size))
            return position;
        size_t size = fixed_header + piece_count * piece_size + stored + default_checksum_size;
        if (static_cast<int64_t>(size) > length - position)
            return position;
        buffer.resize(size);
        if (read_at(fd.get(), buffer, position, absolute) != size)
            return position;
        auto body = std::span<const unsigned char>(buffer).first(size - default_checksum_size);
        if (std::memcmp(default_checksum_algorithm().compute(body).bytes.data(), &buffer[size - default_checksum_size],
                        default_checksum_size) != 0)
            return position;
        ByteReader in(body.subspan(fixed_header), absolute);
        pieces.clear();
        int64_t sum = 0;
        for (uint32_t i = 0; i < piece_count; i++) {
            RedoPiece piece;
            piece.action = in.integer<uint32_t>();
            piece.offset = in.integer<int64_t>();
            piece.length = in.integer<int64_t>();
            auto checksum = in.bytes(default_checksum_size);
            std::copy(checksum.begin(), checksum.end(), piece.checksum.bytes.begin());
            piece.checksum.length = default_checksum_size;
            if (piece.offset < 0 || piece.length < 0 || piece.length > std::numeric_limits<int64_t>::max() - piece.offset ||
                (!elsewhere && piece.length > int64_t{record.raw_size} - sum))
                return position;
            sum += elsewhere ? 0 : piece.length;
            pieces.push_back(piece);
        }
        if (sum != record.raw_size)
            return position;
        record.pieces = pieces;
        record.payload = in.bytes(stored);
        apply(record);
        position += static_cast<int64_t>(size);
    }
    return position;
}

} // namespace

void read_redo_file(const TargetDirectory &target, const std::string &path, int64_t length,
                    const std::function<void(const RedoRecord &)> &apply)
{
    int64_t good = read_records(target, path, length, apply);
    if (good < length)
        throw Error(ErrorCode::data_corrupted,
                    format("staged data in \"%s\" is damaged at offset %lld", target.absolute(path).c_str(),
                           static_cast<long long>(good)),
                    "", "Its disk cannot be trusted; take a new base backup onto another one.");
}

void read_redo_file_as_far_as_good(const TargetDirectory &target, const std::string &path, int64_t length,
                                   const std::function<void(const RedoRecord &)> &apply)
{
    read_records(target, path, length, apply);
}

} // namespace failback
