// Checksum algorithms: one table row each. Content is compared on 128 bits (xxh128): 32 bits are too
// short to call two blocks equal across a terabyte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace failback {

// Up to 16 bytes, big-endian canonical form, unused tail zero.
struct Checksum {
    std::array<unsigned char, 16> bytes{};
    uint8_t length = 0; // bytes used, 0 to 16
    bool operator==(const Checksum &) const = default;
    std::string hex() const;
};

// Incremental computation over a stream.
class Checksummer {
public:
    virtual ~Checksummer() = default;
    virtual void update(std::span<const unsigned char> data) = 0;
    virtual Checksum finish() = 0; // once
};

struct ChecksumAlgorithm {
    const char *name; // as written in SQL and on the command line
    uint8_t length;   // bytes of its Checksum
    Checksum (*compute)(std::span<const unsigned char> data);
    std::unique_ptr<Checksummer> (*start)();
};

// The row of that name (case-sensitive): "xxh128", "xxh64"; throws Error(invalid_parameter) naming the known ones.
const ChecksumAlgorithm &find_checksum_algorithm(std::string_view name);

// The one that transfer and comparison use ("xxh128"), and its length in bytes.
inline constexpr size_t default_checksum_size = 16;
const ChecksumAlgorithm &default_checksum_algorithm();

} // namespace failback
