// Little-endian, fixed-width fields in our own files (redo, plan), with bounds checked on the way back.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

class ByteWriter {
public:
    explicit ByteWriter(std::vector<unsigned char> &out) : out_(out) {}
    template <typename Integer> void integer(Integer value)
    {
        for (size_t i = 0; i < sizeof(Integer); i++)
            out_.push_back(static_cast<unsigned char>(static_cast<uint64_t>(value) >> (8 * i)));
    }
    void bytes(std::span<const unsigned char> data) { out_.insert(out_.end(), data.begin(), data.end()); }
    void text(std::string_view value)
    {
        integer<uint32_t>(static_cast<uint32_t>(value.size()));
        out_.insert(out_.end(), value.begin(), value.end());
    }

private:
    std::vector<unsigned char> &out_;
};

// Every getter throws Error(data_corrupted) naming `name` when the bytes end too early.
class ByteReader {
public:
    ByteReader(std::span<const unsigned char> data, std::string name) : data_(data), name_(std::move(name)) {}
    template <typename Integer> Integer integer()
    {
        auto field = bytes(sizeof(Integer));
        uint64_t value = 0;
        for (size_t i = sizeof(Integer); i-- > 0;)
            value = value << 8 | field[i];
        return static_cast<Integer>(value);
    }
    std::span<const unsigned char> bytes(size_t length)
    {
        if (length > data_.size())
            throw Error(ErrorCode::data_corrupted, format("\"%s\" ends in the middle of a field", name_.c_str()));
        auto field = data_.first(length);
        data_ = data_.subspan(length);
        return field;
    }
    std::string text()
    {
        auto field = bytes(integer<uint32_t>());
        return {reinterpret_cast<const char *>(field.data()), field.size()};
    }
    bool at_end() const { return data_.empty(); }

private:
    std::span<const unsigned char> data_;
    std::string name_;
};

} // namespace failback
