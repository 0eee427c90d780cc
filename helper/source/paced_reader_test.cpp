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
    void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) override
    {
        int64_t bytes = 0;
        for (const ByteRange &range : request.ranges)
            bytes += range.length;
        asked_.push_back(bytes);
        local_.checksum_blocks(request, on_row);
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
    constexpr int64_t rate = 5'300'000; // half a megabyte at a time, which is a chunk
    EXPECT_EQ(test::checksum_ranges(*reader(rate), ranges, block), all);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(238 * block * 1000 / rate));
    // 97 blocks are 64 and 33; 20 go with the latter, 40 do not; 80 are 64 and 16.
    EXPECT_EQ(asked, (std::vector<int64_t>{64 * block, 53 * block, 40 * block, 64 * block, 17 * block}));
}

// Digests reach the source with the chunks that they are of, whatever slices these are in.
TEST_F(PacedReaderTest, DigestsStayWithTheirChunks)
{
    std::vector<std::vector<std::string>> all = test::checksum_ranges(*reader(0), ranges, block);
    std::vector<unsigned char> digests = test::digests_of(*reader(0), ranges, block);
    for (int64_t rate : {int64_t{0}, int64_t{5'300'000}, int64_t{30'000'000}}) {
        auto known = test::checksum_ranges(*reader(rate), ranges, block, digests);
        // Of files that end early there are the checksums.
        for (size_t i : {size_t{0}, size_t{4}})
            EXPECT_TRUE(known[i].empty()) << "range " << i << ", rate " << rate;
        EXPECT_EQ(known[1], all[1]) << rate;
        EXPECT_EQ(known[3], std::vector<std::string>(all[3].begin() + 64, all[3].end())) << rate;
        // One of another chunk is not known.
        std::vector<unsigned char> other = digests;
        other[16] ^= 1;
        known = test::checksum_ranges(*reader(rate), ranges, block, other);
        EXPECT_EQ(known[0], std::vector<std::string>(all[0].begin() + 64, all[0].end())) << rate;
    }
}

TEST_F(PacedReaderTest, AVeryLowRateStillGetsOn)
{
    ByteRange small{"base/1/2", 0, 3 * block};
    EXPECT_EQ(test::checksum_ranges(*reader(100'000), std::span(&small, 1), block)[0].size(), 3u);
    EXPECT_EQ(asked, std::vector<int64_t>{3 * block});
}

} // namespace
} // namespace failback
