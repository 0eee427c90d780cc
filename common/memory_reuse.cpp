#include "common/memory_reuse.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace failback {

void keep_freed_memory()
{
#ifdef __GLIBC__
    constexpr int kept = 16 * 1024 * 1024;
    constexpr int largest_reused = 4 * 1024 * 1024; // larger ones are mapped each for itself
    mallopt(M_TRIM_THRESHOLD, kept);
    mallopt(M_MMAP_THRESHOLD, largest_reused);
    mallopt(M_TOP_PAD, 1024 * 1024);
#endif
}

} // namespace failback
