#include "extension/range_arguments.h"

#include "common/chunk_protocol.h"
#include "extension/row_stream.h"
#include "extension/source_files.h"

extern "C" {
#include "utils/array.h"
}

namespace failback {

namespace {

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

} // namespace

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

} // namespace failback
