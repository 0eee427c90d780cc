#include "helper/source/wire_format.h"

#include <gtest/gtest.h>

#include <climits>
#include <optional>

namespace failback {
namespace {

using namespace std::string_literals;

// A row of binary fields, as libpq would hold it.
class ResultRow {
public:
    explicit ResultRow(const std::vector<std::optional<std::string>> &fields) : result_(PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK))
    {
        char name[] = "f";
        std::vector<PGresAttDesc> columns(fields.size(), PGresAttDesc{name, 0, 0, 1, 0, -1, -1});
        EXPECT_TRUE(PQsetResultAttrs(result_.get(), static_cast<int>(columns.size()), columns.data()));
        for (size_t i = 0; i < fields.size(); i++) {
            std::string value = fields[i].value_or("");
            EXPECT_TRUE(PQsetvalue(result_.get(), 0, static_cast<int>(i), fields[i] ? value.data() : nullptr,
                                   fields[i] ? static_cast<int>(value.size()) : -1));
        }
    }
    BinaryField operator[](int column) const { return {result_.get(), 0, column}; }

private:
    PgResult result_;
};

// Every getter on a field that is not for it.
template <typename Get> bool refuses(const std::optional<std::string> &value, Get get)
{
    ResultRow row({value});
    try {
        get(row[0]);
        return false;
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
        return true;
    }
}

std::string int8_array(std::vector<int64_t> values)
{
    return int8_array_parameter(values).value;
}

TEST(WireFormat, IntegersAreBigEndian)
{
    ResultRow row({"\x01\x02"s, "\xff\xff\xff\xfe"s, "\x00\x00\x00\x01\x00\x00\x00\x02"s, "\x80\x00\x00\x00\x00\x00\x00\x00"s, "\x01"s, "\x00"s, "d"s});
    EXPECT_EQ(row[0].int2(), 0x0102);
    EXPECT_EQ(row[1].int4(), -2);
    EXPECT_EQ(row[2].int8(), 0x100000002);
    EXPECT_EQ(row[3].int8(), INT64_MIN);
    EXPECT_TRUE(row[4].boolean());
    EXPECT_FALSE(row[5].boolean());
    EXPECT_EQ(row[6].single_char(), 'd');
}

TEST(WireFormat, TextAndBytesMayHoldAnything)
{
    ResultRow row({"a\0b"s, ""s});
    EXPECT_EQ(row[0].text(), "a\0b"s);
    EXPECT_EQ(row[0].bytes().size(), 3u);
    EXPECT_EQ(row[1].text(), "");
    EXPECT_FALSE(row[1].is_null());
}

TEST(WireFormat, NullsAreRefusedWhereAValueIsDue)
{
    EXPECT_TRUE(ResultRow({std::nullopt})[0].is_null());
    std::vector<int64_t> out;
    EXPECT_TRUE(refuses(std::nullopt, [](BinaryField f) { f.bytes(); }));
    EXPECT_TRUE(refuses(std::nullopt, [](BinaryField f) { f.text(); }));
    EXPECT_TRUE(refuses(std::nullopt, [](BinaryField f) { f.int4(); }));
    EXPECT_TRUE(refuses(std::nullopt, [](BinaryField f) { f.checksum(); }));
    EXPECT_TRUE(refuses(std::nullopt, [&](BinaryField f) { f.int8_array(out); }));
}

TEST(WireFormat, OtherSizesAreRefused)
{
    for (const std::string &value : {""s, "123"s, "12345"s, "123456789"s}) {
        EXPECT_TRUE(refuses(value, [](BinaryField f) { f.int2(); }));
        EXPECT_TRUE(refuses(value, [](BinaryField f) { f.int4(); }));
        EXPECT_TRUE(refuses(value, [](BinaryField f) { f.int8(); }));
        EXPECT_TRUE(refuses(value, [](BinaryField f) { f.boolean(); }));
        EXPECT_TRUE(refuses(value, [](BinaryField f) { f.single_char(); }));
    }
}

TEST(WireFormat, Checksums)
{
    ResultRow row({"0123456789abcdef"s, "01234567"s});
    EXPECT_EQ(row[0].checksum().length, 16);
    EXPECT_EQ(row[0].checksum().bytes[15], 'f');
    EXPECT_EQ(row[1].checksum().length, 8);
    EXPECT_EQ(row[1].checksum().bytes[8], 0);
    EXPECT_TRUE(refuses("0123456789abcdefg", [](BinaryField f) { f.checksum(); }));
}

TEST(WireFormat, ArraysComeBackAsTheyWent)
{
    for (const std::vector<int64_t> &values : {std::vector<int64_t>{}, {0}, {1, -1, INT64_MAX, INT64_MIN}}) {
        ResultRow row({int8_array(values)});
        std::vector<int64_t> out = {99};
        row[0].int8_array(out);
        EXPECT_EQ(out, values);
    }
}

TEST(WireFormat, DamagedArraysAreRefused)
{
    std::string good = int8_array({1, 2});
    std::vector<int64_t> out;
    auto get = [&](BinaryField f) { f.int8_array(out); };
    ASSERT_FALSE(refuses(good, get));
    for (size_t length = 0; length < good.size(); length++)
        EXPECT_TRUE(refuses(good.substr(0, length), get)) << length;
    EXPECT_TRUE(refuses(good + "x", get));
    auto changed = [&](size_t at, char byte) {
        std::string bad = good;
        bad[at] = byte;
        return bad;
    };
    EXPECT_TRUE(refuses(changed(3, 2), get)) << "two dimensions";
    EXPECT_TRUE(refuses(changed(0, '\x80'), get)) << "a negative number of them";
    EXPECT_TRUE(refuses(changed(3, 0), get)) << "none, and elements all the same";
    EXPECT_TRUE(refuses(changed(7, 1), get)) << "nulls";
    EXPECT_TRUE(refuses(changed(11, 25), get)) << "of text";
    EXPECT_TRUE(refuses(changed(15, 3), get)) << "more elements than there are";
    EXPECT_TRUE(refuses(changed(12, '\xff'), get)) << "a negative number of elements";
    EXPECT_TRUE(refuses(changed(23, 4), get)) << "an element of another size";
    EXPECT_TRUE(refuses(changed(20, '\xff'), get)) << "a null element";
}

TEST(WireFormat, Parameters)
{
    std::vector<std::string_view> paths = {"ab", ""};
    QueryParameter text = text_array_parameter(paths);
    EXPECT_EQ(text.type, 1009u);
    EXPECT_TRUE(text.binary);
    EXPECT_EQ(text.value, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\2ab\0\0\0\0"s);
    EXPECT_EQ(text_array_parameter({}).value, "\0\0\0\0\0\0\0\0\0\0\0\x19"s);
    std::vector<int64_t> numbers = {-2};
    EXPECT_EQ(int8_array_parameter(numbers).value, "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\1\0\0\0\1\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xfe"s);
    EXPECT_EQ(bool_parameter(true).value, "\1");
    EXPECT_EQ(bool_parameter(false).value, "\0"s);
    EXPECT_EQ(text_parameter("x").value, "x");
}

} // namespace
} // namespace failback
