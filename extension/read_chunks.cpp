// pg_failback_read_chunks(): a vectored bulk read. common/chunk_protocol.h describes the rows.

#include "common/memory_reuse.h"
#include "common/payload_compression.h"
#include "extension/chunk_packer.h"
#include "extension/range_arguments.h"
#include "extension/row_stream.h"

extern "C" {
#include "utils/array.h"
}

namespace failback {

namespace {

class ChunkStream final : public RowStream {
public:
    ChunkStream(std::vector<Range> ranges, const CompressionAlgorithm &compression, int level, bool verify_pages)
        : packer_(std::move(ranges), verify_pages), compression_(compression), level_(level),
          raw_(VARHDRSZ + row_payload_bytes)
    {
        if (compression_.id != CompressionId::none)
            packed_.resize(VARHDRSZ + compression_.bound(row_payload_bytes));
    }

    bool next(Datum *values, bool *) override
    {
        if (!packer_.pack(std::span(raw_).subspan(VARHDRSZ), row_))
            return false;

        ChunkRow row;
        row.first_range = row_.first_range;
        row.start = row_.start;
        row.results = row_.results;
        row.finished = row_.finished;
        row.raw_size = static_cast<int32_t>(row_.size);
        std::vector<unsigned char> &sent = compress(row);
        row.checksum = row_checksum(row);

        // The payload's buffer is a bytea itself; forming the row copies it.
        SET_VARSIZE(sent.data(), VARHDRSZ + row.payload.size());
        result_datums_.clear();
        for (int64_t result : row_.results)
            result_datums_.push_back(Int64GetDatum(result));
        pg_call([&] {
            values[0] = Int32GetDatum(row.first_range);
            values[1] = Int64GetDatum(row.start);
            values[2] = PointerGetDatum(construct_array(result_datums_.data(), static_cast<int>(result_datums_.size()),
                                                        INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
            values[3] = BoolGetDatum(row.finished);
            values[4] = Int16GetDatum(row.compression);
            values[5] = Int32GetDatum(row.raw_size);
            values[6] = PointerGetDatum(sent.data());
            values[7] = bytea_datum(std::span(row.checksum.bytes).first(row.checksum.length));
        });
        return true;
    }

private:
    // Sets the row's payload and compression; returns the buffer that holds it behind a varlena header.
    std::vector<unsigned char> &compress(ChunkRow &row)
    {
        auto raw = std::span(raw_).subspan(VARHDRSZ, row_.size);
        if (compression_.id != CompressionId::none && !raw.empty()) {
            size_t size = compression_.compress(raw, std::span(packed_).subspan(VARHDRSZ), level_);
            if (size < raw.size()) {
                row.payload = std::span(packed_).subspan(VARHDRSZ, size);
                row.compression = static_cast<int16_t>(compression_.id);
                return packed_;
            }
        }
        row.payload = raw;
        row.compression = static_cast<int16_t>(CompressionId::none);
        return raw_;
    }

    ChunkPacker packer_;
    const CompressionAlgorithm &compression_;
    int level_;
    PackedRow row_;
    std::vector<unsigned char> raw_;
    std::vector<unsigned char> packed_;
    std::vector<Datum> result_datums_;
};

RowStream *make_read_chunks(FunctionCallInfo fcinfo)
{
    std::vector<Range> ranges = range_arguments(fcinfo);
    const CompressionAlgorithm &compression = find_compression(text_argument(fcinfo, 3, "compression"));
    int level = compression.default_level;
    if (!PG_ARGISNULL(4)) {
        level = PG_GETARG_INT32(4);
        if (level < compression.min_level || level > compression.max_level)
            throw Error(ErrorCode::invalid_parameter,
                        format("compression level %d is out of range for \"%s\"", level, compression.name), {},
                        format("Levels from %d to %d are valid.", compression.min_level, compression.max_level));
    }
    require_not_null(fcinfo, 5, "verify_pages");
    keep_freed_memory();
    return new ChunkStream(std::move(ranges), compression, level, PG_GETARG_BOOL(5));
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_read_chunks);
Datum pg_failback_read_chunks(PG_FUNCTION_ARGS)
{
    return failback::stream_rows(fcinfo, failback::make_read_chunks);
}
}
