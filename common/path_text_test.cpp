#include "common/path_text.h"

#include "common/error.h"

#include <gtest/gtest.h>

using namespace failback;
using namespace std::string_view_literals;

namespace {

std::string path_of_length(size_t length)
{
    std::string path;
    while (path.size() < length)
        path += path.size() % 100 == 99 ? '/' : 'a';
    if (path.back() == '/')
        path.back() = 'a';
    return path;
}

TEST(CheckRelativePath, Refused)
{
    for (std::string_view path : {""sv, "/etc/passwd"sv, ".."sv, "../x"sv, "base/../../x"sv, "base/.."sv, "."sv,
                                  "./x"sv, "base/./x"sv, "base//x"sv, "base/"sv, "a\0b"sv, "a\nb"sv, "a\x7f"sv,
                                  "a\xc2\x9b" "31m"sv, "\xc2\x80"sv, "b/\xc2\x9f"sv}) {
        try {
            check_relative_path(path);
            ADD_FAILURE() << "accepted \"" << path << "\"";
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
            EXPECT_FALSE(error.detail().empty());
            EXPECT_FALSE(error.hint().empty());
        }
    }
    EXPECT_THROW(check_relative_path(path_of_length(max_path_length + 1)), Error);
    EXPECT_THROW(check_relative_path("base/" + std::string(max_part_length + 1, 'a')), Error);
    EXPECT_THROW(check_relative_path(std::string(max_part_length + 1, 'a') + "/x"), Error);
}

TEST(CheckRelativePath, Accepted)
{
    for (std::string_view path : {"base/5/1259"sv, "postgresql.conf"sv, "..a"sv, "a..b"sv, "..."sv, "name with space"sv,
                                  "pg_tblspc/16384/PG_15_202209061/5/16400_fsm.2"sv, "caf\xc3\xa9"sv, "\xc2\xa0"sv,
                                  "\xe2\x82\xac"sv, "a\xc2"sv})
        EXPECT_NO_THROW(check_relative_path(path)) << path;
    EXPECT_NO_THROW(check_relative_path(path_of_length(max_path_length)));
    EXPECT_NO_THROW(check_relative_path("base/" + std::string(max_part_length, 'a')));
}

TEST(ShownPath, HasNoControlCharacters)
{
    EXPECT_EQ(shown_path("base/1/a\nb"), "base/1/a?b");
    EXPECT_EQ(shown_path("caf\xc3\xa9 \xc2\x9b" "31m\x1b[m"), "caf\xc3\xa9 ?31m?[m");
    EXPECT_EQ(shown_path(std::string(max_path_length + 9, 'a')).size(), max_path_length);
}

} // namespace
