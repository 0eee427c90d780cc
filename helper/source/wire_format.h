// PostgreSQL's binary representations of the types that our functions take and return.
// Source of the facts: the send and receive functions of each type (documented with COPY's binary format).
#pragma once

#include "common/checksum.h"
#include "helper/source/connection.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

QueryParameter text_array_parameter(std::span<const std::string_view> values);
QueryParameter int8_array_parameter(std::span<const int64_t> values);
QueryParameter text_parameter(std::string value);
QueryParameter bool_parameter(bool value);
QueryParameter bytea_parameter(std::span<const unsigned char> bytes); // null if empty

// One field of a binary result; every getter throws Error(protocol_violation) when it is null or of another size.
class BinaryField {
public:
    BinaryField(const PGresult *result, int row, int column) : result_(result), row_(row), column_(column) {}
    bool is_null() const { return PQgetisnull(result_, row_, column_) != 0; }
    std::span<const unsigned char> bytes() const;
    std::string text() const;
    int16_t int2() const;
    int32_t int4() const;
    int64_t int8() const; // int8, pg_lsn, timestamptz
    bool boolean() const;
    char single_char() const;
    Checksum checksum() const;                // bytea of at most 16 bytes
    void int8_array(std::vector<int64_t> &out) const;

private:
    std::span<const unsigned char> sized(size_t length) const;
    const PGresult *result_;
    int row_;
    int column_;
};

} // namespace failback
