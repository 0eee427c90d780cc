// The three parallel arrays that the bulk functions take: paths, offsets, lengths.
#pragma once

#include "extension/chunk_packer.h"

namespace failback {

// Arguments 0 to 2 as ranges, in order; the paths stay in the current memory context. Throws Error(invalid_parameter),
// Error(access_denied) and Error(limit_exceeded) as common/chunk_protocol.h sets the limits.
std::vector<Range> range_arguments(FunctionCallInfo fcinfo);

} // namespace failback
