// Reads WAL made by TestWal, for the unit tests of this room.
#pragma once

#include "helper/wal/test_wal.h"
#include "helper/wal/wal_reader.h"

#include <gtest/gtest.h>

namespace failback::test {

inline WalOrigin origin_of(const TestWal &wal)
{
    return {&wal.history(), wal.segment_size(), TestWal::system_identifier};
}

// The starts of all records that are read from `start`; `why` gets the reason for the end.
inline std::vector<Lsn> read_all(TestWal &wal, Lsn start, std::string *why = nullptr)
{
    WalReader reader(wal, origin_of(wal));
    reader.seek(start);
    std::vector<Lsn> starts;
    WalRecord record;
    while (reader.next(record)) {
        starts.push_back(record.start);
        size_t bytes = 0;
        for (const auto &piece : record.pieces)
            bytes += piece.size();
        EXPECT_EQ(bytes, record.total_length);
    }
    if (why)
        *why = reader.failure().reason;
    return starts;
}

} // namespace failback::test
