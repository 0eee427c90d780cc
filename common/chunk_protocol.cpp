#include "common/chunk_protocol.h"

#include <type_traits>
#include <vector>

namespace failback {

namespace {

template <typename Integer>
void append_little_endian(std::vector<unsigned char> &out, Integer value)
{
    auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
    for (size_t i = 0; i < sizeof(Integer); ++i)
        out.push_back(static_cast<unsigned char>(static_cast<uint64_t>(bits) >> (8 * i)));
}

} // namespace

Checksum row_checksum(const ChunkRow &row)
{
    std::vector<unsigned char> head;
    head.reserve(32 + row.results.size() * sizeof(int64_t));
    append_little_endian(head, row.first_range);
    append_little_endian(head, row.start);
    // The count stands before the results, so that no result can pass for what follows them.
    append_little_endian(head, static_cast<int32_t>(row.results.size()));
    for (int64_t result : row.results)
        append_little_endian(head, result);
    head.push_back(row.finished ? 1 : 0);
    append_little_endian(head, row.compression);
    append_little_endian(head, row.raw_size);

    auto checksummer = default_checksum_algorithm().start();
    checksummer->update(head);
    checksummer->update(row.payload);
    return checksummer->finish();
}

} // namespace failback
