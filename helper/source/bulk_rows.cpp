#include "helper/source/bulk_rows.h"

namespace failback {

namespace {

void check_shape(const PGresult *result, int columns)
{
    if (PQntuples(result) < 1 || PQnfields(result) != columns)
        throw Error(ErrorCode::protocol_violation, "the source sent a row of another shape than agreed");
}

} // namespace

ChunkRow decode_chunk_row(const PGresult *result, std::vector<int64_t> &results)
{
    check_shape(result, 8);
    auto field = [result](int column) { return BinaryField(result, 0, column); };
    ChunkRow row;
    row.first_range = field(0).int4();
    row.start = field(1).int8();
    field(2).int8_array(results);
    row.results = results;
    row.finished = field(3).boolean();
    row.compression = field(4).int2();
    row.raw_size = field(5).int4();
    row.payload = field(6).bytes();
    row.checksum = field(7).checksum();
    return row;
}

BlockSumsRow decode_block_sums(const PGresult *result)
{
    check_shape(result, 3);
    auto field = [result](int column) { return BinaryField(result, 0, column); };
    BlockSumsRow row{field(0).int4(), field(1).int8(), field(2).is_null(), {}};
    if (!row.known)
        row.sums = field(2).bytes();
    return row;
}

} // namespace failback
