// Reads ranges and block checksums of files in a local data directory, with the rows that a server would send.
#pragma once

#include "common/beneath.h"
#include "helper/source/source.h"

#include <memory>
#include <string>
#include <vector>

namespace failback {

// One regular file, opened beneath the data directory.
class LocalFileReader {
public:
    LocalFileReader() = default;
    // False if there is no such file. Throws Error(access_denied) where a link is in the way, Error(invalid_parameter) for
    // an unsafe path or what is no regular file, Error(io_error).
    LocalFileReader(const BeneathDirectory &directory, std::string path);
    explicit operator bool() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }
    // Bytes read; fewer than asked only at the end of the file.
    size_t read(int64_t offset, std::span<unsigned char> out) const;

private:
    FileDescriptor fd_;
    std::string path_; // for messages
};

class LocalChunkReader : public ChunkReader {
public:
    explicit LocalChunkReader(std::shared_ptr<const BeneathDirectory> directory) : directory_(std::move(directory)) {}

    void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override;
    void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) override;
    int64_t bytes_received() const override { return received_; } // content read, or checksums made

private:
    // What stands in the row being filled.
    struct Filling {
        int32_t first_range;
        int64_t start;
        size_t size;
    };
    void open(std::string_view path);
    void send(const Filling &row, bool finished, const std::function<void(const ChunkRow &)> &on_row);

    std::shared_ptr<const BeneathDirectory> directory_;
    std::string path_; // of file_
    LocalFileReader file_;
    std::vector<int64_t> results_;
    std::vector<unsigned char> buffer_;
    int64_t received_ = 0;
};

} // namespace failback
