// The redo file: fetched content that waits for the commit, to be written into place by apply.
//
// A record holds one row of the bulk read as it arrived (compressed if it was), the pieces of files it is made of,
// and a checksum over all of it. Applying records again gives the same result, in any order: pieces do not overlap.
// A record may also only tell the checksums of what was staged as a whole file: then it has no payload.
#pragma once

#include "common/checksum.h"
#include "helper/target/target_dir.h"

#include <functional>

namespace failback {

struct RedoPiece {
    uint32_t action = 0; // index into the plan's actions
    int64_t offset = 0;  // bytes in the file
    int64_t length = 0;
    Checksum checksum{}; // of the piece's content, by default_checksum_algorithm()
};

// As RedoRecord::compression: the content of the pieces lies in staged whole files.
inline constexpr int16_t content_elsewhere = -1;

struct RedoRecord {
    std::span<const RedoPiece> pieces;  // lengths add up to raw_size; with content_elsewhere they may be of any length
    int16_t compression = 0;            // CompressionId, or content_elsewhere
    uint32_t raw_size = 0;              // bytes once decompressed; 0 with content_elsewhere
    std::span<const unsigned char> payload;
};

// The content of a record's pieces, one after another: raw_size bytes, in the record itself or, if they had to be unpacked, in
// `buffer`. Not with content_elsewhere. Throws Error(data_corrupted).
std::span<const unsigned char> redo_content(const RedoRecord &record, std::vector<unsigned char> &buffer);

class RedoWriter {
public:
    RedoWriter(const TargetDirectory &target, std::string path);
    void append(const RedoRecord &record);
    // One record with content_elsewhere.
    void append_checksum(const RedoPiece &piece);
    int64_t length() const { return length_; } // bytes written
    void sync();
    const std::string &path() const { return path_; }

private:
    FileDescriptor fd_;
    std::string path_;
    std::string absolute_;
    int64_t length_ = 0;
    int64_t written_back_ = 0;
    std::vector<unsigned char> buffer_;
};

// Calls `apply` for each record, after its checksum was verified, in the order they were written. The file must be
// `length` bytes long. Throws Error(data_corrupted).
void read_redo_file(const TargetDirectory &target, const std::string &path, int64_t length,
                    const std::function<void(const RedoRecord &)> &apply);

// The same of a file whose writer may have been interrupted: ends, without an error, where it is not whole. What `apply`
// throws goes through.
void read_redo_file_as_far_as_good(const TargetDirectory &target, const std::string &path, int64_t length,
                                   const std::function<void(const RedoRecord &)> &apply);

} // namespace failback
