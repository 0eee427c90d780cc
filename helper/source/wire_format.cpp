#include "helper/source/wire_format.h"

#include <cstring>

namespace failback {

namespace {

// pg_type OIDs, fixed by PostgreSQL's catalogs for all versions.
constexpr Oid bool_oid = 16;
constexpr Oid bytea_oid = 17;
constexpr Oid int8_oid = 20;
constexpr Oid text_oid = 25;
constexpr Oid text_array_oid = 1009;
constexpr Oid int8_array_oid = 1016;

template <typename Integer> void put(std::string &out, Integer value)
{
    for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
}

template <typename Integer> Integer get(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(Integer); i++)
        value = value << 8 | bytes[i];
    return static_cast<Integer>(value);
}

void put_array_header(std::string &out, Oid element, size_t count)
{
    put<int32_t>(out, count > 0 ? 1 : 0); // dimensions
    put<int32_t>(out, 0);                 // no NULLs
    put<uint32_t>(out, element);
    if (count > 0) {
        put<int32_t>(out, static_cast<int32_t>(count));
        put<int32_t>(out, 1); // lower bound
    }
}

[[noreturn]] void bad_field(const char *what)
{
    throw Error(ErrorCode::protocol_violation, format("the source sent %s", what), "",
                "Check that the extension pg_failback on the source and this program have the same version.");
}

} // namespace

QueryParameter text_array_parameter(std::span<const std::string_view> values)
{
    QueryParameter parameter{text_array_oid, {}, true, false};
    put_array_header(parameter.value, text_oid, values.size());
    for (std::string_view value : values) {
        put<int32_t>(parameter.value, static_cast<int32_t>(value.size()));
        parameter.value.append(value);
    }
    return parameter;
}

QueryParameter int8_array_parameter(std::span<const int64_t> values)
{
    QueryParameter parameter{int8_array_oid, {}, true, false};
    put_array_header(parameter.value, int8_oid, values.size());
    for (int64_t value : values) {
        put<int32_t>(parameter.value, 8);
        put<int64_t>(parameter.value, value);
    }
    return parameter;
}

QueryParameter text_parameter(std::string value)
{
    return {text_oid, std::move(value), true, false};
}

QueryParameter bool_parameter(bool value)
{
    return {bool_oid, std::string(1, value ? '\1' : '\0'), true, false};
}

QueryParameter bytea_parameter(std::span<const unsigned char> bytes)
{
    return {bytea_oid, std::string(bytes.begin(), bytes.end()), true, bytes.empty()};
}

std::span<const unsigned char> BinaryField::bytes() const
{
    if (is_null())
        bad_field("a null where a value is due");
    return {reinterpret_cast<const unsigned char *>(PQgetvalue(result_, row_, column_)),
            static_cast<size_t>(PQgetlength(result_, row_, column_))};
}

std::span<const unsigned char> BinaryField::sized(size_t length) const
{
    auto value = bytes();
    if (value.size() != length)
        bad_field("a value of unexpected size");
    return value;
}

std::string BinaryField::text() const
{
    auto value = bytes();
    return {reinterpret_cast<const char *>(value.data()), value.size()};
}

int16_t BinaryField::int2() const
{
    return get<int16_t>(sized(2).data());
}

int32_t BinaryField::int4() const
{
    return get<int32_t>(sized(4).data());
}

int64_t BinaryField::int8() const
{
    return get<int64_t>(sized(8).data());
}

bool BinaryField::boolean() const
{
    return sized(1)[0] != 0;
}

char BinaryField::single_char() const
{
    return static_cast<char>(sized(1)[0]);
}

Checksum BinaryField::checksum() const
{
    auto value = bytes();
    Checksum checksum;
    if (value.size() > checksum.bytes.size())
        bad_field("a checksum of unexpected size");
    std::memcpy(checksum.bytes.data(), value.data(), value.size());
    checksum.length = static_cast<uint8_t>(value.size());
    return checksum;
}

void BinaryField::int8_array(std::vector<int64_t> &out) const
{
    auto value = bytes();
    out.clear();
    if (value.size() < 12 || get<int32_t>(&value[4]) != 0 || get<uint32_t>(&value[8]) != int8_oid)
        bad_field("an array of an unexpected form");
    int32_t dimensions = get<int32_t>(&value[0]);
    if (dimensions == 0 && value.size() == 12)
        return;
    if (dimensions != 1 || value.size() < 20)
        bad_field("an array of an unexpected form");
    int32_t count = get<int32_t>(&value[12]);
    if (count < 0 || value.size() != 20 + static_cast<size_t>(count) * 12)
        bad_field("an array of an unexpected size");
    for (size_t at = 20; at < value.size(); at += 12) {
        if (get<int32_t>(&value[at]) != 8)
            bad_field("an array element of an unexpected size");
        out.push_back(get<int64_t>(&value[at + 4]));
    }
}

} // namespace failback
