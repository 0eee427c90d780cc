// Sizes that the tests of the plan have in common.
#pragma once

#include <cstdint>

namespace failback {

inline constexpr int64_t block_bytes = 8192;

} // namespace failback
