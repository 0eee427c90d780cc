#include "helper/source/paced_reader.h"

#include "helper/source/local_reader.h"
#include "helper/source/source_contract.h"

namespace failback {
namespace {

constexpr uint32_t block = 8192;

// Notes how much is asked for at a time.
class NotingReader : public ChunkReader {
public:
    NotingReader(const std::string &path, std::vector<int64_t> &asked)
        : local_(std::make_shared<BeneathDirectory>(path)), asked_(asked)
    {
    }
    void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override
    {
        local_.read(ranges, on_row);
    }
    void checksum_blocks(std::span<const ByteRange> ranges, uint32_t size, const ChecksumRow &on_row) override
    {
        int64_t bytes = 0;
        for (const ByteRange &range : ranges)
            bytes += range.length;
        asked_.push_back(bytes);
        local_.checksum_blocks(ranges, size, on_row);
    }
    int64_t bytes_received() const override { return local_.bytes_received(); }

private:
    LocalChunkReader local_;
    std::vector<int64_t> &asked_;
};

class PacedReaderTest : public testing::Test {
protected:
    PacedReaderTest()
    {
        std::string content(100 * block, 'a');
        for (size_t i = 0; i < content.size(); i += 1000)
            content[i] = static_cast<char>(i / 1000);
        source.write("base/1/1", content);
        source.write("base/1/2", content.substr(0, 3 * block));
        source.write("base/1/3", content.substr(0, 70 * block));
    }

    std::unique_ptr<ChunkReader> reader(int64_t rate)
    {
        return paced_reader(std::make_unique<NotingReader>(source.path(), asked),
                            rate == 0 ? nullptr : std::make_shared<RateLimiter>(rate));
    }

    test::TestDirectory source;
    std::vector<int64_t> asked;
    // Two that end early, and one of a file that is not there.
    const std::vector<ByteRange> ranges{{"base/1/1", 2 * block, 97 * block}, {"base/1/2", 0, 20 * block},
                                        {"base/1/9", 0, 40 * block}, {"base/1/3", 0, 80 * block}, {"base/1/1", 0, block}};
};

TEST_F(PacedReaderTest, WithoutALimitAsksForAllAtOnce)
{
    auto sums = test::checksum_ranges(*reader(0), ranges, block);
    EXPECT_EQ(asked, std::vector<int64_t>{238 * block});
    EXPECT_EQ(sums[1].size(), 3u);
    EXPECT_EQ(sums[2].size(), 0u);
    EXPECT_EQ(sums[3].size(), 70u);
}

TEST_F(PacedReaderTest, GivesTheSameInPieces)
{
    auto all = test::checksum_ranges(*reader(0), ranges, block);
    asked.clear();
    auto begin = std::chrono::steady_clock::now();
    constexpr int64_t rate = 5'000'000; // half a megabyte at a time
    EXPECT_EQ(test::checksum_ranges(*reader(rate), ranges, block), all);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(238 * block * 1000 / rate));
    ASSERT_EQ(asked.size(), 4u);
    for (size_t i = 0; i + 1 < asked.size(); i++)
        EXPECT_EQ(asked[i], 61 * block);
    EXPECT_EQ(asked.back(), 55 * block);
}

TEST_F(PacedReaderTest, AVeryLowRateStillGetsOn)
{
    ByteRange small{"base/1/2", 0, 3 * block};
    EXPECT_EQ(test::checksum_ranges(*reader(100'000), std::span(&small, 1), block)[0].size(), 3u);
    EXPECT_EQ(asked, std::vector<int64_t>{3 * block});
}

} // namespace
} // namespace failback
