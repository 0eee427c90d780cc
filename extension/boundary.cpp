#include "extension/boundary.h"

namespace failback {

namespace {

int sqlstate_of(ErrorCode code)
{
    switch (code) {
    case ErrorCode::invalid_parameter:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case ErrorCode::access_denied:
        return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case ErrorCode::undefined_file:
        return ERRCODE_UNDEFINED_FILE;
    case ErrorCode::io_error:
        return ERRCODE_IO_ERROR;
    case ErrorCode::data_corrupted:
        return ERRCODE_DATA_CORRUPTED;
    case ErrorCode::limit_exceeded:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ErrorCode::not_supported:
        return ERRCODE_FEATURE_NOT_SUPPORTED;
    case ErrorCode::wrong_state:
        return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case ErrorCode::connection_failure:
        return ERRCODE_CONNECTION_FAILURE;
    case ErrorCode::protocol_violation:
        return ERRCODE_PROTOCOL_VIOLATION;
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
        return ERRCODE_QUERY_CANCELED;
    case ErrorCode::internal:
        break;
    }
    return ERRCODE_INTERNAL_ERROR;
}

template <size_t size>
void copy_text(char (&out)[size], std::string_view text)
{
    size_t length = std::min(text.size(), size - 1);
    std::memcpy(out, text.data(), length);
    out[length] = '\0';
}

void record(Outcome *outcome, int sqlstate, std::string_view message, std::string_view detail = {},
            std::string_view hint = {})
{
    outcome->server_error = nullptr;
    outcome->sqlstate = sqlstate;
    copy_text(outcome->message, message);
    copy_text(outcome->detail, detail);
    copy_text(outcome->hint, hint);
}

} // namespace

void record_current_exception(Outcome *outcome) noexcept
{
    outcome->failed = true;
    try {
        throw;
    } catch (const ServerError &error) {
        outcome->server_error = error.data();
    } catch (const Error &error) {
        record(outcome, sqlstate_of(error.code()), error.what(), error.detail(), error.hint());
    } catch (const std::bad_alloc &) {
        record(outcome, ERRCODE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &error) {
        record(outcome, ERRCODE_INTERNAL_ERROR, error.what());
    } catch (...) {
        record(outcome, ERRCODE_INTERNAL_ERROR, "unrecognized exception in pg_failback");
    }
}

void raise(const Outcome *outcome)
{
    if (outcome->server_error)
        ReThrowError(outcome->server_error);
    ereport(ERROR, (errcode(outcome->sqlstate), errmsg_internal("%s", outcome->message),
                    outcome->detail[0] ? errdetail_internal("%s", outcome->detail) : 0,
                    outcome->hint[0] ? errhint("%s", outcome->hint) : 0));
    pg_unreachable();
}

} // namespace failback
