#include "common/error.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <system_error>

namespace failback {

std::string format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int length = std::vsnprintf(nullptr, 0, fmt, args);
    va_end(args);
    std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
    if (length > 0)
        std::vsnprintf(text.data(), text.size() + 1, fmt, again);
    va_end(again);
    return text;
}

std::string problem_lines(const std::vector<std::string> &problems)
{
    constexpr size_t max_problems = 50;
    std::string all;
    for (size_t i = 0; i < problems.size() && i < max_problems; i++)
        all += (i > 0 ? "\n" : "") + problems[i];
    if (problems.size() > max_problems)
        all += format("\n(and %zu more)", problems.size() - max_problems);
    return all;
}

Error io_error(const char *verb, const std::string &path, int errnum)
{
    // std::error_code::message() is thread-safe where strerror() need not be.
    std::string reason = std::error_code(errnum, std::generic_category()).message();
    ErrorCode code = errnum == ENOENT ? ErrorCode::undefined_file : ErrorCode::io_error;
    return Error(code, format("could not %s \"%s\": %s", verb, path.c_str(), reason.c_str()));
}

} // namespace failback
