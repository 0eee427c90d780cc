#include "helper/wal/segment_provider.h"

#include "common/error.h"
#include "helper/wal/test_wal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace failback {
namespace {

class DirectoryProviderTest : public testing::Test {
protected:
    DirectoryProviderTest()
    {
        std::string pattern = testing::TempDir() + "pg_failback_wal.XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    ~DirectoryProviderTest() override { std::filesystem::remove_all(directory_); }

    void write(const std::string &name, size_t size, char fill = 'w')
    {
        std::ofstream(directory_ + "/" + name, std::ios::binary) << std::string(size, fill);
    }

    std::string directory_;
};

constexpr uint32_t megabyte = 1 << 20;

TEST(SegmentName, CountsSegmentsPerFourGigabytes)
{
    EXPECT_EQ(wal_segment_name(TimelineId{1}, 1, 16 * megabyte), "000000010000000000000001");
    EXPECT_EQ(wal_segment_name(TimelineId{0xAB}, 256, 16 * megabyte), "000000AB0000000100000000");
    EXPECT_EQ(wal_segment_name(TimelineId{1}, 4097, megabyte), "000000010000000100000001");
    EXPECT_EQ(wal_segment_name(TimelineId{1}, 5, 1024 * megabyte), "000000010000000100000001");
}

TEST_F(DirectoryProviderTest, MapsASegment)
{
    write("000000020000000000000003", megabyte, 'q');
    auto provider = make_directory_provider(directory_, megabyte);
    auto segment = provider->open(TimelineId{2}, 3);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->size(), megabyte);
    auto bytes = segment->bytes(megabyte - 10, 10);
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "qqqqqqqqqq");
    EXPECT_EQ(segment->name(), directory_ + "/000000020000000000000003");
    EXPECT_FALSE(provider->open(TimelineId{1}, 3));
    EXPECT_FALSE(provider->open(TimelineId{2}, 4));
}

// As a page that the disk cannot give, this is a SIGBUS to whoever looks at the mapping.
TEST_F(DirectoryProviderTest, NamesASegmentThatCannotBeRead)
{
    write("000000010000000000000001", 4 * megabyte);
    auto segment = make_directory_provider(directory_, 4 * megabyte)->open(TimelineId{1}, 1);
    EXPECT_EQ(segment->bytes(2 * megabyte, 1)[0], 'w');
    std::filesystem::resize_file(segment->name(), megabyte);
    EXPECT_EQ(segment->bytes(0, megabyte).back(), 'w');
    try {
        segment->bytes(megabyte - 8192, 2 * 8192);
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(std::string(error.what()), "WAL segment \"" + segment->name() + "\" was cut while it was being read");
    }
    segment->drop_resident();
    EXPECT_THROW(segment->bytes(2 * megabyte, 1), Error);
}

TEST_F(DirectoryProviderTest, RefusesASegmentOfTheWrongSize)
{
    for (size_t size : {size_t{0}, size_t{megabyte - 1}, size_t{megabyte + 1}}) {
        write("000000010000000000000001", size);
        EXPECT_THROW(make_directory_provider(directory_, megabyte)->open(TimelineId{1}, 1), Error) << size;
    }
}

TEST_F(DirectoryProviderTest, ReportsADirectoryInPlaceOfASegment)
{
    std::filesystem::create_directory(directory_ + "/000000010000000000000001");
    EXPECT_THROW(make_directory_provider(directory_, megabyte)->open(TimelineId{1}, 1), Error);
}

TEST(ChainedProvider, TakesTheFirstThatHasIt)
{
    std::vector<std::unique_ptr<SegmentProvider>> providers;
    providers.push_back(std::make_unique<test::TestWal>());
    auto second = std::make_unique<test::TestWal>();
    second->append_sized(90);
    test::TestWal &counted = *second;
    providers.push_back(std::move(second));
    auto chain = make_chained_provider(std::move(providers));
    uint64_t segno = 0x1000000 / counted.segment_size();
    EXPECT_TRUE(chain->open(TimelineId{1}, segno));
    EXPECT_FALSE(chain->open(TimelineId{1}, segno + 1));
    EXPECT_EQ(counted.opened, 2);
    EXPECT_EQ(chain->trouble(), "");
    EXPECT_FALSE(make_chained_provider({})->open(TimelineId{1}, segno));
}

} // namespace
} // namespace failback
