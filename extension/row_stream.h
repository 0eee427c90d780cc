// Set-returning functions that produce one row per call (ValuePerCall), backed by a C++ object.
#pragma once

#include "extension/boundary.h"

namespace failback {

// Lives from the first call until the last row, the end of the query, an error or a cancel: its
// destructor runs in every case, from a memory context callback, so it must not touch PostgreSQL
// beyond giving back what the object holds.
class RowStream {
public:
    virtual ~RowStream() = default;
    // Fills one row; false at the end. Called in a memory context that is reset between rows;
    // `values` and `nulls` have as many elements as the function's result has columns, and `nulls`
    // is all false at the start. May throw.
    virtual bool next(Datum *values, bool *nulls) = 0;
};

// Makes the stream from the arguments, in a memory context that lives as long as the stream. May throw.
using StreamFactory = RowStream *(*)(FunctionCallInfo fcinfo);

// The whole body of such a function.
Datum stream_rows(FunctionCallInfo fcinfo, StreamFactory make);

// For functions of one row: `values` as the function's composite result.
Datum form_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

// Arguments by position. `name` is for the message when the argument is null (Error(invalid_parameter)).
void require_not_null(FunctionCallInfo fcinfo, int position, const char *name);
std::string text_argument(FunctionCallInfo fcinfo, int position, const char *name);

// Results. They palloc: call them inside pg_call() where destructors wait.
Datum text_datum(std::string_view text);
Datum bytea_datum(std::span<const unsigned char> bytes);

} // namespace failback
