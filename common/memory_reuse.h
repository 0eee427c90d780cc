// Keeps freed memory in the process.
#pragma once

namespace failback {

// Rows of tens of kilobytes are allocated and freed thousands of times a second on both ends of a
// transfer. With glibc's defaults each round gives the memory back to the kernel and faults it in again,
// page by page: measured, that is a third to a half of the speed. After this call up to 16 MB that are
// free stay where they are. For the whole process, as often as one likes; does nothing without glibc.
void keep_freed_memory();

} // namespace failback
