// WAL positions and timelines as types of their own, so that they are not mixed with other integers.
#pragma once

#include "common/error.h"

#include <compare>
#include <cstdint>
#include <string>

namespace failback {

// A position in WAL, in bytes. 0 is "invalid" as PostgreSQL's InvalidXLogRecPtr.
struct Lsn {
    uint64_t value = 0;
    constexpr bool valid() const { return value != 0; }
    constexpr auto operator<=>(const Lsn &) const = default;
    constexpr Lsn operator+(uint64_t bytes) const { return Lsn{value + bytes}; }
    // "%X/%X", as PostgreSQL writes it up to 18 (19 pads; readers take both).
    std::string text() const { return format("%X/%X", static_cast<uint32_t>(value >> 32), static_cast<uint32_t>(value)); }
};

struct TimelineId {
    uint32_t value = 0;
    constexpr bool valid() const { return value != 0; }
    constexpr auto operator<=>(const TimelineId &) const = default;
};

} // namespace failback
