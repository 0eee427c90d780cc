#include "common/error.h"

#include <gtest/gtest.h>

#include <cerrno>

using namespace failback;

TEST(Error, CarriesDetailAndHint)
{
    Error error(ErrorCode::wrong_state, "message", "detail", "hint");
    EXPECT_STREQ(error.what(), "message");
    EXPECT_EQ(error.detail(), "detail");
    EXPECT_EQ(error.hint(), "hint");
}

TEST(Error, Format)
{
    EXPECT_EQ(format("%d %s", 7, "x"), "7 x");
    EXPECT_EQ(format("%s", std::string(5000, 'y').c_str()).size(), 5000u);
    EXPECT_EQ(format("%s", ""), "");
}

TEST(Error, IoErrorNamesPathAndReason)
{
    Error missing = io_error("open file", "base/1", ENOENT);
    EXPECT_STREQ(missing.what(), "could not open file \"base/1\": No such file or directory");
    EXPECT_EQ(missing.code(), ErrorCode::undefined_file);
    EXPECT_EQ(io_error("read file", "base/1", EIO).code(), ErrorCode::io_error);
}
