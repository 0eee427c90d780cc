#include "common/path_text.h"

#include "common/error.h"

#include <algorithm>

namespace failback {

namespace {

// The length of the control character that `text` begins with, bytes; 0 if it begins with none.
size_t control_character(std::string_view text)
{
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x20 || byte(0) == 0x7f)
        return 1;
    return byte(0) == 0xc2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xa0 ? 2 : 0;
}

} // namespace

std::string_view last_part(std::string_view path)
{
    size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string parent_of(const std::string &path)
{
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

bool has_control_character(std::string_view text)
{
    for (; !text.empty(); text.remove_prefix(1))
        if (control_character(text) > 0)
            return true;
    return false;
}

std::string shown_path(std::string_view path)
{
    std::string shown;
    for (path = path.substr(0, max_path_length); !path.empty();) {
        size_t control = control_character(path);
        shown += control > 0 ? '?' : path.front();
        path.remove_prefix(std::max<size_t>(control, 1));
    }
    return shown;
}

void check_relative_path(std::string_view path)
{
    auto refuse = [&](const char *problem) {
        throw Error(ErrorCode::invalid_parameter, format("path \"%s\" is not acceptable", shown_path(path).c_str()), problem,
                    "Paths are relative to the data directory, with single slashes between their parts.");
    };
    if (path.empty())
        refuse("The path is empty.");
    if (path.size() > max_path_length)
        refuse("The path is too long.");
    if (path.front() == '/')
        refuse("The path is absolute.");
    if (has_control_character(path))
        refuse("The path contains a control character.");
    if (path.back() == '/')
        refuse("The path ends with a slash.");
    for (std::string_view rest = path; !rest.empty();) {
        std::string_view part = take_part(rest);
        if (part.empty())
            refuse("The path contains an empty part.");
        if (part.size() > max_part_length)
            refuse("A part of the path is too long.");
        if (part == "." || part == "..")
            refuse("The path contains \".\" or \"..\".");
    }
}

bool is_acceptable_path(std::string_view path)
{
    try {
        check_relative_path(path);
        return true;
    } catch (const Error &) {
        return false;
    }
}

std::string_view take_part(std::string_view &path)
{
    size_t slash = path.find('/');
    std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    return part;
}

} // namespace failback
