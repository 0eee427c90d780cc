// The source's pg_control, read whole and checked.
#pragma once

#include "extension/boundary.h"

namespace failback {

class ControlImage {
public:
    // Reads global/pg_control again and again until its CRC is right: the server may be writing it.
    // Throws Error(data_corrupted) when it does not come right, Error(io_error).
    static ControlImage read();

    const ControlFileData &data() const { return data_; }
    std::span<const unsigned char> bytes() const { return bytes_; } // PG_CONTROL_FILE_SIZE of them

private:
    std::array<unsigned char, PG_CONTROL_FILE_SIZE> bytes_;
    ControlFileData data_;
};

} // namespace failback
