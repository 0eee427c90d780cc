// Compression of payloads: one table row per algorithm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace failback {

// Stable on the wire and in staging files.
enum class CompressionId : uint8_t { none = 0, lz4 = 1, zstd = 2 };

struct CompressionAlgorithm {
    const char *name; // "none", "lz4", "zstd"
    CompressionId id;
    int min_level, max_level, default_level;
    // Upper bound of the compressed size of `size` bytes.
    size_t (*bound)(size_t size);
    // Compresses into `out` (at least bound(in.size()) bytes); returns bytes written. Throws Error(internal).
    size_t (*compress)(std::span<const unsigned char> in, std::span<unsigned char> out, int level);
    // Decompresses to exactly out.size() bytes; throws Error(data_corrupted) on anything else.
    void (*decompress)(std::span<const unsigned char> in, std::span<unsigned char> out);
};

// A number that came from the wire or from a file. Throws Error(data_corrupted) unless it is one of these: cut to the width of the
// enumeration, 256 would be taken for none.
CompressionId compression_id(int16_t number);
bool is_compression_id(int16_t number);

// Throw Error(invalid_parameter) / Error(data_corrupted) for an unknown one.
const CompressionAlgorithm &find_compression(std::string_view name);
const CompressionAlgorithm &find_compression(CompressionId id);

} // namespace failback
