#include "helper/wal/record_crc.h"

#include "helper/pg_frontend.h"

extern "C" {
#include "port/pg_crc32c.h"
}

namespace failback {

uint32_t extend_crc32c(uint32_t state, const unsigned char *data, size_t size)
{
    COMP_CRC32C(state, data, size);
    return state;
}

} // namespace failback
