// What every kind of Source has to keep (helper/source/source.h), as checks that a test of each kind runs.
#pragma once

#include "common/block_sums.h"
#include "common/path_rules.h"
#include "common/test_directory.h"
#include "helper/source/chunk_validator.h"

#include <map>
#include <optional>

namespace failback::test {

// Range by range, what a reader gave: nullopt for a file that is gone.
inline std::vector<std::optional<std::string>> read_ranges(ChunkReader &reader, std::span<const ByteRange> ranges)
{
    std::vector<std::optional<std::string>> content(ranges.size(), "");
    ChunkValidator validator(ranges);
    std::vector<unsigned char> buffer;
    reader.read(ranges, [&](const ChunkRow &row) {
        validator.check(row);
        auto bytes = row_content(row, buffer);
        for (size_t i = 0; i < row.results.size(); i++) {
            auto &range = content[static_cast<size_t>(row.first_range) - 1 + i];
            if (row.results[i] == range_vanished) {
                range.reset();
                continue;
            }
            auto part = bytes.first(static_cast<size_t>(row.results[i]));
            range->append(part.begin(), part.end());
            bytes = bytes.subspan(part.size());
        }
        EXPECT_TRUE(bytes.empty());
    });
    validator.finish();
    return content;
}

// Range by range, the checksums of the blocks from its begin on, but for chunks that have the digests given.
inline std::vector<std::vector<std::string>> checksum_ranges(ChunkReader &reader, std::span<const ByteRange> ranges, uint32_t block_size,
                                                             std::span<const unsigned char> digests = {})
{
    std::vector<std::vector<std::string>> sums(ranges.size());
    const BlockSumsRequest request{ranges, block_size, digests};
    BlockSumsValidator validator(request);
    reader.checksum_blocks(request, [&](size_t range, int64_t offset, std::span<const unsigned char> row) {
        validator.check({static_cast<int32_t>(range) + 1, offset, row.empty(), row});
        for (; !row.empty(); row = row.subspan(block_sum_bytes))
            sums[range].emplace_back(row.begin(), row.begin() + block_sum_bytes);
    });
    return sums;
}

// Of each chunk of what the reader gives, as much of it as there is.
inline std::vector<unsigned char> digests_of(ChunkReader &reader, std::span<const ByteRange> ranges, uint32_t block_size)
{
    const size_t per_chunk = static_cast<size_t>(compared_chunk_bytes) / block_size;
    std::vector<unsigned char> digests;
    auto all = checksum_ranges(reader, ranges, block_size);
    for (size_t i = 0; i < ranges.size(); i++)
        for (size_t chunk = 0; chunk < static_cast<size_t>(chunks_in(ranges[i].length)); chunk++) {
            std::string sums;
            for (size_t block = chunk * per_chunk; block < std::min((chunk + 1) * per_chunk, all[i].size()); block++)
                sums += all[i][block];
            Checksum digest = chunk_digest({reinterpret_cast<const unsigned char *>(sums.data()), sums.size()});
            digests.insert(digests.end(), digest.bytes.begin(), digest.bytes.end());
        }
    return digests;
}

// `directory`: where the source's files are. Nothing may change it meanwhile.
inline void expect_source_contract(Source &source, const TestDirectory &directory)
{
    std::map<std::string, FileEntry> files;
    source.list_files([] {}, [&](FileEntry &&entry) {
        std::string path = entry.path;
        EXPECT_TRUE(files.emplace(path, std::move(entry)).second) << path << " twice";
    });
    EXPECT_FALSE(files.contains("global/pg_control"));
    EXPECT_TRUE(files.contains("base") && files["base"].kind == FileKind::directory);

    // Every file in one request, and beyond its end; two that do not exist among them.
    std::unique_ptr<ChunkReader> reader = source.open_reader();
    std::vector<ByteRange> ranges = {{"base/1/999999", 0, 8192}};
    for (const auto &[path, entry] : files) {
        EXPECT_NE(classify_path(path), PathClass::wal_segment) << path;
        if (entry.kind != FileKind::regular)
            continue;
        EXPECT_EQ(entry.has_checksum, classify_path(path) != PathClass::relation_main) << path;
        ranges.push_back({path, 0, entry.size + 1});
    }
    ranges.push_back({"no/such/file", 5, 1});
    auto content = read_ranges(*reader, ranges);
    EXPECT_FALSE(content.front());
    EXPECT_FALSE(content.back());
    auto algorithm = default_checksum_algorithm();
    for (size_t i = 1; i + 1 < ranges.size(); i++) {
        const FileEntry &entry = files[std::string(ranges[i].path)];
        ASSERT_TRUE(content[i]) << entry.path;
        EXPECT_EQ(*content[i], directory.read(entry.path)) << entry.path;
        if (entry.has_checksum) {
            std::span<const unsigned char> bytes{reinterpret_cast<const unsigned char *>(content[i]->data()), content[i]->size()};
            EXPECT_EQ(entry.checksum, algorithm.compute(bytes)) << entry.path;
        }
    }
    EXPECT_GT(reader->bytes_received(), 0);

    // Whole blocks only, from any block on.
    for (const auto &[path, entry] : files) {
        if (classify_path(path) != PathClass::relation_main)
            continue;
        std::string bytes = directory.read(path);
        std::vector<ByteRange> all = {{path, 0, entry.size + 8192}, {path, 8192, 8192}, {"no/such/file", 0, 8192}};
        auto sums = checksum_ranges(*reader, all, 8192);
        ASSERT_EQ(sums[0].size(), bytes.size() / 8192) << path;
        for (size_t block = 0; block < sums[0].size(); block++) {
            auto sum = algorithm.compute({reinterpret_cast<const unsigned char *>(&bytes[block * 8192]), 8192});
            EXPECT_EQ(sums[0][block], std::string(sum.bytes.begin(), sum.bytes.end())) << path << " block " << block;
        }
        EXPECT_EQ(sums[1], sums[0].size() > 1 ? std::vector<std::string>{sums[0][1]} : std::vector<std::string>{}) << path;
        EXPECT_TRUE(sums[2].empty());
        // With digests: nothing of what has them; all of a chunk that does not, and of one that is not whole.
        std::vector<ByteRange> whole = {{path, 0, static_cast<int64_t>(sums[0].size()) * 8192}, {path, 0, entry.size + 8192}};
        auto digests = digests_of(*reader, whole, 8192);
        auto known = checksum_ranges(*reader, whole, 8192, digests);
        EXPECT_TRUE(known[0].empty()) << path;
        EXPECT_EQ(known[1].empty(), sums[0].empty()) << path;
        for (unsigned char &byte : digests)
            byte ^= 1;
        EXPECT_EQ(checksum_ranges(*reader, whole, 8192, digests)[0], sums[0]) << path;
    }
    // A reader of its own for each thread, and one reader for many calls.
    ByteRange version{"PG_VERSION", 0, 100};
    EXPECT_EQ(read_ranges(*source.open_reader(), std::span(&version, 1)), read_ranges(*reader, std::span(&version, 1)));
    EXPECT_TRUE(read_ranges(*reader, {}).empty());
}

} // namespace failback::test
