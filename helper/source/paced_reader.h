// --max-rate-read: all readers of a source together let it read no more than so much a second for checksums.
#pragma once

#include "helper/source/rate_limiter.h"
#include "helper/source/source.h"

#include <memory>

namespace failback {

// `reader` itself if there is no limit (`limiter` null). Otherwise one that asks for the checksums of no more at a time than
// the rate allows in a tenth of a second (a chunk at least), and not before it is due: a checksum is small, so what the source has read ahead
// is held back by not asking only, never by not receiving. What it reads to send it, --max-rate is for.
std::unique_ptr<ChunkReader> paced_reader(std::unique_ptr<ChunkReader> reader, std::shared_ptr<RateLimiter> limiter);

} // namespace failback
