// pg_failback_read_chunks(): a vectored bulk read. common/chunk_protocol.h describes the rows.

#include "common/memory_reuse.h"
#include "common/payload_compression.h"
#include "extension/chunk_packer.h"
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

struct ArrayElements {
    Datum *values;
    bool *nulls;
    int count;
};

// The elements of a one-dimensional array without nulls. They stay in the current memory context.
ArrayElements array_argument(FunctionCallInfo fcinfo, int position, const char *name, Oid type)
{
    require_not_null(fcinfo, position, name);
    struct {
        int dimensions;
        bool has_null;
        ArrayElements elements;
    } array{};
    pg_call([&] {
        // A copy: the argument itself does not live as long as the stream.
        ArrayType *value = PG_GETARG_ARRAYTYPE_P_COPY(position);
        array.dimensions = ARR_NDIM(value);
        array.has_null = array_contains_nulls(value);
        if (type == TEXTOID)
            deconstruct_array(value, type, -1, false, TYPALIGN_INT, &array.elements.values, &array.elements.nulls,
                              &array.elements.count);
        else
            deconstruct_array(value, type, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &array.elements.values,
                              &array.elements.nulls, &array.elements.count);
    });
    if (array.dimensions > 1)
        throw Error(ErrorCode::invalid_parameter, format("array \"%s\" must have one dimension", name));
    if (array.has_null)
        throw Error(ErrorCode::invalid_parameter, format("array \"%s\" must not contain nulls", name));
    if (array.elements.count > max_ranges_per_call)
        throw Error(ErrorCode::limit_exceeded, "too many ranges in one call", {},
                    format("At most %lld ranges can be asked for at once.", static_cast<long long>(max_ranges_per_call)));
    return array.elements;
}

std::vector<Range> range_arguments(FunctionCallInfo fcinfo)
{
    const ArrayElements paths = array_argument(fcinfo, 0, "paths", TEXTOID);
    const ArrayElements offsets = array_argument(fcinfo, 1, "offsets", INT8OID);
    const ArrayElements lengths = array_argument(fcinfo, 2, "lengths", INT8OID);
    if (paths.count != offsets.count || paths.count != lengths.count)
        throw Error(ErrorCode::invalid_parameter, "arrays \"paths\", \"offsets\" and \"lengths\" must have the same size",
                    format("They have %d, %d and %d elements.", paths.count, offsets.count, lengths.count));

    const ServedPaths served;
    std::vector<Range> ranges;
    ranges.reserve(static_cast<size_t>(paths.count));
    int64_t total = 0;
    for (int i = 0; i < paths.count; ++i) {
        check_interrupts();
        // Elements of an array are neither compressed nor stored elsewhere.
        const auto *path = reinterpret_cast<const struct varlena *>(DatumGetPointer(paths.values[i]));
        const Range range{std::string_view(VARDATA_ANY(path), VARSIZE_ANY_EXHDR(path)),
                          DatumGetInt64(offsets.values[i]), DatumGetInt64(lengths.values[i])};
        if (ranges.empty() || ranges.back().path != range.path)
            served.check(range.path);
        if (range.offset < 0)
            throw Error(ErrorCode::invalid_parameter, "offset must not be negative", format("It is in range %d.", i + 1));
        if (range.length < 0)
            throw Error(ErrorCode::invalid_parameter, "length must not be negative", format("It is in range %d.", i + 1));
        if (range.length > INT64_MAX - range.offset)
            throw Error(ErrorCode::invalid_parameter, "offset and length are out of range",
                        format("It is in range %d.", i + 1));
        if (range.length > max_bytes_per_call - total)
            throw Error(ErrorCode::limit_exceeded, "too many bytes in one call", {},
                        format("At most %lld bytes can be asked for at once.", static_cast<long long>(max_bytes_per_call)));
        total += range.length;
        ranges.push_back(range);
    }
    return ranges;
}

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
