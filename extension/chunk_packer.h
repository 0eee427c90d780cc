// Reads ranges of files and packs them into rows.
#pragma once

#include "common/chunk_protocol.h"
#include "extension/page_verifier.h"

namespace failback {

struct Range {
    std::string_view path; // relative, checked
    int64_t offset;        // bytes, >= 0
    int64_t length;        // bytes, >= 0
};

// What one row carries; the payload is in the buffer given to pack().
struct PackedRow {
    int32_t first_range = 0; // 1-based
    int64_t start = 0;
    std::vector<int64_t> results;
    bool finished = false;
    size_t size = 0; // bytes of payload
};

class ChunkPacker {
public:
    // `ranges` point into memory that lives longer than the packer.
    ChunkPacker(std::vector<Range> ranges, bool verify_pages);

    // Fills `row` and as much of `payload` as the next ranges need; false when there is none left.
    // A file stays open as long as the ranges that follow each other name the same one.
    bool pack(std::span<unsigned char> payload, PackedRow &row);

private:
    void open(std::string_view path);
    void read_ahead();
    size_t read(const Range &range, std::span<unsigned char> out);
    size_t room_for(const Range &range, size_t room) const;

    std::vector<Range> ranges_;
    size_t current_ = 0; // the range that comes next
    int64_t done_ = 0;   // bytes of it that were packed already
    std::optional<PageVerifier> verifier_;

    std::string path_; // of file_; empty before the first
    SourceFile file_;
    std::optional<RelationPath> relation_; // what file_ is
    size_t advised_ = 0; // the kernel knows of the ranges before this one
};

} // namespace failback
