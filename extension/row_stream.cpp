#include "extension/row_stream.h"

namespace failback {

namespace {

// More columns than any of our functions has.
constexpr int max_columns = 32;

struct StreamHolder {
    RowStream *stream;
    MemoryContextCallback callback;
};

void destroy_stream(void *argument)
{
    auto holder = static_cast<StreamHolder *>(argument);
    delete std::exchange(holder->stream, nullptr);
}

Datum make_stream(StreamFactory make, FunctionCallInfo fcinfo, StreamHolder *holder)
{
    holder->stream = make(fcinfo);
    return 0;
}

Datum next_row(RowStream *stream, Datum *values, bool *nulls)
{
    return BoolGetDatum(stream->next(values, nulls));
}

TupleDesc result_description(FunctionCallInfo fcinfo)
{
    TupleDesc description;
    if (get_call_result_type(fcinfo, nullptr, &description) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("function returning record called in context that cannot accept type record")));
    if (description->natts > max_columns)
        elog(ERROR, "too many result columns");
    return BlessTupleDesc(description);
}

} // namespace

// No object with a destructor lives in this frame: it ereports, and is left by longjmp.
Datum stream_rows(FunctionCallInfo fcinfo, StreamFactory make)
{
    Outcome outcome;
    FuncCallContext *call;

    if (SRF_IS_FIRSTCALL()) {
        call = SRF_FIRSTCALL_INIT();
        MemoryContext per_row = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        call->tuple_desc = result_description(fcinfo);
        auto holder = static_cast<StreamHolder *>(palloc0(sizeof(StreamHolder)));
        // Registered before there is anything to destroy: nothing can fail in between.
        holder->callback.func = destroy_stream;
        holder->callback.arg = holder;
        MemoryContextRegisterResetCallback(call->multi_call_memory_ctx, &holder->callback);
        call->user_fctx = holder;
        run_recorded(&outcome, make_stream, make, fcinfo, holder);
        if (outcome.failed)
            raise(&outcome);
        MemoryContextSwitchTo(per_row);
    }

    call = SRF_PERCALL_SETUP();
    auto holder = static_cast<StreamHolder *>(call->user_fctx);
    Datum values[max_columns] = {};
    bool nulls[max_columns] = {};
    bool found = DatumGetBool(run_recorded(&outcome, next_row, holder->stream, values, nulls));
    if (outcome.failed)
        raise(&outcome);
    if (!found)
        SRF_RETURN_DONE(call);
    HeapTuple row = heap_form_tuple(call->tuple_desc, values, nulls);
    SRF_RETURN_NEXT(call, HeapTupleGetDatum(row));
}

Datum form_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
    return pg_call([&] { return HeapTupleGetDatum(heap_form_tuple(result_description(fcinfo), values, nulls)); });
}

void require_not_null(FunctionCallInfo fcinfo, int position, const char *name)
{
    if (PG_ARGISNULL(position))
        throw Error(ErrorCode::invalid_parameter, format("argument \"%s\" must not be null", name));
}

std::string text_argument(FunctionCallInfo fcinfo, int position, const char *name)
{
    require_not_null(fcinfo, position, name);
    const text *value = pg_call([&] { return PG_GETARG_TEXT_PP(position); });
    return std::string(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

Datum text_datum(std::string_view text)
{
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

Datum bytea_datum(std::span<const unsigned char> bytes)
{
    auto result = static_cast<bytea *>(palloc(VARHDRSZ + bytes.size()));
    SET_VARSIZE(result, VARHDRSZ + bytes.size());
    if (!bytes.empty())
        std::memcpy(VARDATA(result), bytes.data(), bytes.size());
    return PointerGetDatum(result);
}

} // namespace failback
