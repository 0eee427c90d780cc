// Rows of file content and of block checksums, from a source that may send anything.
#include "helper/source/chunk_validator.h"

#include "common/block_sums.h"
#include "helper/fuzz.h"
#include "helper/source/bulk_rows.h"

#include <array>
#include <optional>

namespace failback {
namespace {

using test::FuzzInput;
using Fields = std::vector<std::optional<std::string>>;

PgResult make_result(const Fields &fields)
{
    PgResult result(PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK));
    char name[] = "f";
    std::vector<PGresAttDesc> columns(fields.size(), PGresAttDesc{name, 0, 0, 1, 0, -1, -1});
    PQsetResultAttrs(result.get(), static_cast<int>(columns.size()), columns.data());
    for (size_t i = 0; i < fields.size(); i++) {
        std::string value = fields[i].value_or("");
        PQsetvalue(result.get(), 0, static_cast<int>(i), fields[i] ? value.data() : nullptr,
                   fields[i] ? static_cast<int>(value.size()) : -1);
    }
    return result;
}

template <class Integer> std::string big_endian(Integer value)
{
    std::string out;
    for (int shift = sizeof(Integer) * 8 - 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
    return out;
}

// What has come of each range: never more than was asked for.
class Received {
public:
    explicit Received(std::span<const ByteRange> ranges) : ranges_(ranges), bytes_(ranges.size()) {}

    void add(const ChunkRow &row)
    {
        for (size_t i = 0; i < row.results.size(); i++) {
            size_t range = static_cast<size_t>(row.first_range) - 1 + i;
            test::fuzz_expect(range < ranges_.size(), "a range was asked for");
            test::fuzz_expect(bytes_[range] == (i == 0 ? row.start : 0), "a row begins where the range's last one ended");
            if (row.results[i] != range_vanished)
                bytes_[range] += row.results[i];
            test::fuzz_expect(bytes_[range] <= ranges_[range].length, "no range gets more than it asked for");
        }
    }

private:
    std::span<const ByteRange> ranges_;
    std::vector<int64_t> bytes_;
};

struct Expected {
    size_t range = 0; // that the next row should begin with
    int64_t start = 0;
};

std::string take_payload(FuzzInput &input, CompressionId compression, const std::string &content)
{
    if (compression != CompressionId::lz4 && compression != CompressionId::zstd)
        return content;
    const CompressionAlgorithm &algorithm = find_compression(compression);
    std::vector<unsigned char> packed(algorithm.bound(content.size()));
    packed.resize(algorithm.compress(test::bytes_view(content), packed, algorithm.default_level));
    std::string payload(packed.begin(), packed.end());
    if (input.flag() && !payload.empty()) // damaged, under a right checksum
        payload[input.take() % payload.size()] ^= input.take();
    return payload;
}

// A row that may be right: what the validator expects, but where the input says otherwise.
Fields take_row(FuzzInput &input, Expected &expected)
{
    uint8_t odd = input.take();
    std::vector<int64_t> results(odd & 1 ? input.take() % 4 : 1);
    int64_t sum = 0;
    for (int64_t &result : results) {
        uint8_t kind = input.take();
        result = kind == 0 ? range_vanished : kind == 1 ? input.take<int64_t>() : kind == 2 ? 0 : input.take<uint16_t>() % 4096;
        sum += result > 0 && result < row_payload_bytes ? result : 0;
    }
    bool finished = input.flag();
    int16_t packed_how = odd & 64 ? input.take<int16_t>() : input.take() % 4;
    CompressionId compression = is_compression_id(packed_how) ? compression_id(packed_how) : CompressionId::none;
    auto raw_size = static_cast<int32_t>(odd & 2 ? input.take<int32_t>() : sum);
    std::string content = input.text(input.take<uint16_t>() % 256);
    if (!(odd & 4))
        content.resize(std::min<size_t>(static_cast<size_t>(sum), row_payload_bytes), 'c');
    Fields fields = {big_endian(odd & 8 ? input.take<int32_t>() : static_cast<int32_t>(expected.range + 1)),
                     big_endian(odd & 16 ? input.take<int64_t>() : expected.start),
                     int8_array_parameter(results).value,
                     std::string(1, finished ? '\1' : '\0'),
                     big_endian(packed_how),
                     big_endian(raw_size),
                     take_payload(input, compression, content),
                     std::string(16, '\0')};
    if (odd & 32) // any value in any field
        fields[input.take() % fields.size()] = input.flag() ? std::optional(input.text(input.take())) : std::nullopt;
    expected.start = finished || results.empty() ? 0 : (results.size() == 1 ? expected.start : 0) + results.back();
    expected.range += finished || results.empty() ? results.size() : results.size() - 1;
    return fields;
}

void fuzz_rows(FuzzInput &input, std::span<const ByteRange> ranges)
{
    ChunkValidator validator(ranges);
    Received received(ranges);
    Expected expected;
    std::vector<int64_t> results;
    std::vector<unsigned char> buffer;
    test::accepts([&] {
        for (int rows = 0; rows < 100 && !input.empty(); rows++) {
            bool sealed = input.take() != 0;
            PgResult result = make_result(take_row(input, expected));
            ChunkRow row = decode_chunk_row(result.get(), results);
            if (sealed)
                row.checksum = row_checksum(row);
            validator.check(row);
            received.add(row);
            auto content = row_content(row, buffer);
            test::fuzz_expect(static_cast<int64_t>(content.size()) == row.raw_size, "the content has the size announced");
        }
        validator.finish();
    });
}

void fuzz_block_sums(FuzzInput &input, std::span<const ByteRange> ranges)
{
    constexpr uint32_t block_size = 8192;
    std::vector<unsigned char> digests;
    if (input.flag())
        digests.resize(ranges.size() * block_sum_bytes); // no range is longer than a chunk
    BlockSumsValidator validator(BlockSumsRequest{ranges, block_size, digests});
    int64_t offset = ranges[0].offset;
    test::accepts([&] {
        while (!input.empty()) {
            uint8_t odd = input.take();
            int32_t range = odd & 1 ? input.take<int32_t>() : 1 + input.take() % static_cast<int32_t>(ranges.size());
            if (!(odd & 2))
                offset = input.flag() ? offset : ranges[static_cast<size_t>(range - 1) % ranges.size()].offset;
            else
                offset = input.take<int64_t>();
            size_t bytes = odd & 4 ? input.take<uint16_t>() : 16 * (1 + input.take() % 8u);
            Fields fields = {big_endian(range), big_endian(offset), std::string(bytes, 's')};
            if (odd & 8) // any value in any field, or none
                fields[input.take() % fields.size()] = input.flag() ? std::optional(input.text(input.take())) : std::nullopt;
            PgResult result = make_result(fields);
            BlockSumsRow row = decode_block_sums(result.get());
            validator.check(row);
            test::fuzz_expect(!row.known || !digests.empty(), "a chunk is known by its digest only");
            const ByteRange &asked = ranges[static_cast<size_t>(row.range) - 1];
            offset = row.offset;
            bytes = row.sums.size();
            test::fuzz_expect(offset >= asked.offset, "checksums are of blocks in the range");
            offset += static_cast<int64_t>(bytes / 16) * block_size;
            test::fuzz_expect(offset <= asked.offset + asked.length, "checksums do not go beyond the range");
        }
    });
}

void fuzz(std::span<const unsigned char> bytes)
{
    FuzzInput input(bytes);
    bool block_sums = input.flag();
    std::vector<ByteRange> ranges(1 + input.take() % 8);
    for (ByteRange &range : ranges)
        range = {"base/5/16384", input.take<uint16_t>() * int64_t{8192}, (1 + input.take() % 64) * (block_sums ? 8192 : 1000)};
    if (block_sums)
        fuzz_block_sums(input, ranges);
    else
        fuzz_rows(input, ranges);
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(ChunkRowFuzz, failback::fuzz)
