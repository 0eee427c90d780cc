// The one place where C++ meets ereport and longjmp.
//
// Every function that PostgreSQL calls is `return guarded<body>(fcinfo);`. Inside `body` C++ may throw;
// what leaves it as an exception is reported with ereport after every destructor has run. A PostgreSQL
// function that can ereport, called from a frame that has destructors, goes through pg_call(), which
// turns the longjmp into an exception that ends up as the same error, untouched.
#pragma once

#include "common/error.h"
#include "extension/pg_backend.h"

#include <type_traits>

namespace failback {

// An error that PostgreSQL raised, on its way through C++ frames. Never swallow it: no
// (sub)transaction was rolled back, so the query has to fail.
class ServerError {
public:
    explicit ServerError(ErrorData *data) : data_(data) {}
    ErrorData *data() const { return data_; }

private:
    ErrorData *data_; // owned by the memory context that was current at the pg_call()
};

// Runs `f`, which may ereport. `f` must not throw and must not create objects with destructors:
// the longjmp would pass them by. Its result has to be trivially copyable, or void.
template <typename F>
auto pg_call(F &&f) -> decltype(f())
{
    using Result = decltype(f());
    MemoryContext const context = CurrentMemoryContext;
    ErrorData *volatile failure = nullptr;
    if constexpr (std::is_void_v<Result>) {
        PG_TRY();
        {
            f();
        }
        PG_CATCH();
        {
            MemoryContextSwitchTo(context);
            failure = CopyErrorData();
            FlushErrorState();
        }
        PG_END_TRY();
        if (failure)
            throw ServerError(failure);
    } else {
        static_assert(std::is_trivially_copyable_v<Result>);
        Result volatile result{};
        PG_TRY();
        {
            result = f();
        }
        PG_CATCH();
        {
            MemoryContextSwitchTo(context);
            failure = CopyErrorData();
            FlushErrorState();
        }
        PG_END_TRY();
        if (failure)
            throw ServerError(failure);
        return result;
    }
}

// CHECK_FOR_INTERRUPTS() for frames with destructors.
inline void check_interrupts()
{
    if (INTERRUPTS_PENDING_CONDITION())
        pg_call([] { ProcessInterrupts(); });
}

// What became of a body, in plain memory: it outlives the exception and owns nothing.
struct Outcome {
    bool failed;
    ErrorData *server_error; // if set, raised again as it was
    int sqlstate;
    char message[1536];
    char detail[1024];
    char hint[512];
};

// Fills `outcome` from the exception that is being handled.
void record_current_exception(Outcome *outcome) noexcept;

// Raises what `outcome` describes. Call it from a frame without destructors.
[[noreturn]] void raise(const Outcome *outcome);

// Runs `body(args...)` and records in `outcome` whether it threw; the result is 0 then.
template <typename Body, typename... Args>
Datum run_recorded(Outcome *outcome, Body body, Args... args) noexcept
{
    outcome->failed = false;
    try {
        return body(args...);
    } catch (...) {
        record_current_exception(outcome);
        return 0;
    }
}

// The frame between fmgr and C++.
template <Datum (*body)(FunctionCallInfo)>
Datum guarded(FunctionCallInfo fcinfo)
{
    Outcome outcome;
    Datum result = run_recorded(&outcome, body, fcinfo);
    if (outcome.failed)
        raise(&outcome);
    return result;
}

} // namespace failback
