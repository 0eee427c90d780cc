#include "helper/source/local_reader.h"

#include "helper/source/source_contract.h"

namespace failback {
namespace {

namespace fs = std::filesystem;

class LocalReaderTest : public testing::Test {
protected:
    LocalReaderTest()
    {
        source.write("PG_VERSION", "15\n");
        source.write("base/1/1259", std::string(3 * 8192, 'a') + std::string(100, 'b'));
        source.write("base/1/1260", std::string(300 * 8192, 'c'));
        source.write("base/1/1261", "");
    }

    test::TestDirectory source;
    LocalChunkReader reader{std::make_shared<BeneathDirectory>(source.path())};
};

TEST_F(LocalReaderTest, PacksSmallRangesAndCutsLargeOnes)
{
    std::vector<ByteRange> ranges;
    for (int i = 0; i < 5000; i++)
        ranges.push_back({"base/1/1259", i % 3 * 8192, 10});
    int rows = 0;
    reader.read(ranges, [&](const ChunkRow &row) {
        rows++;
        EXPECT_LE(row.results.size(), 4096u);
    });
    EXPECT_EQ(rows, 2);
    EXPECT_EQ(reader.bytes_received(), 50000);
    ByteRange large{"base/1/1260", 0, 300 * 8192};
    auto content = test::read_ranges(reader, std::span(&large, 1));
    EXPECT_EQ(content[0], std::string(300 * 8192, 'c'));
    // A small range before a large one, and offsets beyond the end.
    std::vector<ByteRange> mixed = {{"PG_VERSION", 1, 1}, {"base/1/1260", 5, 2 * row_payload_bytes}, {"base/1/1261", 0, 5}, {"PG_VERSION", 100, 5}};
    content = test::read_ranges(reader, mixed);
    EXPECT_EQ(content[0], "5");
    EXPECT_EQ(content[1], std::string(2 * row_payload_bytes, 'c'));
    EXPECT_EQ(content[2], "");
    EXPECT_EQ(content[3], "");
}

TEST_F(LocalReaderTest, StaysInsideAndWithinItsLimits)
{
    fs::create_symlink("/etc/passwd", source / "base/1/16402");
    auto refuses = [&](ByteRange range) {
        try {
            reader.read(std::span(&range, 1), [](const ChunkRow &) {});
            return false;
        } catch (const Error &) {
            return true;
        }
    };
    EXPECT_TRUE(refuses({"../secret", 0, 1}));
    EXPECT_TRUE(refuses({"/etc/passwd", 0, 1}));
    EXPECT_TRUE(refuses({"base/1/16402", 0, 1}));
    EXPECT_TRUE(refuses({"base/1", 0, 1}));
    EXPECT_TRUE(refuses({"PG_VERSION", -1, 1}));
    EXPECT_TRUE(refuses({"PG_VERSION", 0, max_bytes_per_call + 1}));
    EXPECT_TRUE(refuses({"PG_VERSION", INT64_MAX, 2}));
    EXPECT_FALSE(refuses({"PG_VERSION", 0, 1})) << "usable after an error";
    ByteRange odd{"base/1/1259", 100, 8192};
    EXPECT_THROW(reader.checksum_blocks({std::span(&odd, 1), 8192}, [](auto...) {}), Error);
    EXPECT_THROW(reader.checksum_blocks({{}, 1000}, [](auto...) {}), Error);
}

} // namespace
} // namespace failback
