// Paths as texts: which are safe to use, how they are shown, and their parts. Pure: no file is touched.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace failback {

// Longest relative path served or accepted, bytes (MAXPGPATH is 1024, and the data directory's own
// path has to fit too when PostgreSQL opens the file).
inline constexpr size_t max_path_length = 1023;
// And of one name in it, bytes: NAME_MAX of Linux.
inline constexpr size_t max_part_length = 255;

// Throws Error(invalid_parameter), with a hint, unless `path` is a relative path inside a data
// directory: not empty, not absolute, no empty part, no "." or "..", no NUL or control character
// (see has_control_character), not longer than max_path_length, no part longer than max_part_length.
void check_relative_path(std::string_view path);
// The same as an answer.
bool is_acceptable_path(std::string_view path);

// ASCII control characters, and those from U+0080 to U+009F as UTF-8: to a terminal, U+009B is ESC [.
bool has_control_character(std::string_view text);
// For messages: each control character is a '?', and what is longer than max_path_length is cut off.
std::string shown_path(std::string_view path);

// "a/b/c" -> "c"
std::string_view last_part(std::string_view path);
// "a/b/c" -> "a/b", "c" -> ""
std::string parent_of(const std::string &path);
// Splits off the part before the first '/' and returns it: "a/b/c" -> "a", and `path` is "b/c".
std::string_view take_part(std::string_view &path);

} // namespace failback
