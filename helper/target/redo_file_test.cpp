#include "helper/target/redo_file.h"

#include "common/chunk_protocol.h"
#include "common/error.h"
#include "common/test_directory.h"

#include <fcntl.h>

namespace failback {
namespace {

class RedoFileTest : public testing::Test {
protected:
    RedoFileTest() : target(files.path(), TargetDirectory::Access::read_write) {}

    int64_t write(const std::vector<std::pair<std::vector<RedoPiece>, std::string>> &records)
    {
        RedoWriter writer(target, "redo");
        for (const auto &[pieces, payload] : records)
            writer.append({pieces, 0, static_cast<uint32_t>(payload.size()),
                           {reinterpret_cast<const unsigned char *>(payload.data()), payload.size()}});
        writer.sync();
        EXPECT_EQ(static_cast<size_t>(writer.length()), files.read("redo").size());
        return writer.length();
    }

    // "action@offset+length ... = payload" of each record
    std::vector<std::string> read(int64_t length)
    {
        std::vector<std::string> found;
        read_redo_file(target, "redo", length, [&](const RedoRecord &record) {
            std::string text;
            for (const RedoPiece &piece : record.pieces)
                text += std::to_string(piece.action) + "@" + std::to_string(piece.offset) + "+" + std::to_string(piece.length) + " ";
            found.push_back(text + "= " + std::string(reinterpret_cast<const char *>(record.payload.data()), record.payload.size()));
        });
        return found;
    }

    bool damaged(int64_t length)
    {
        try {
            read(length);
            return false;
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::data_corrupted);
            return true;
        }
    }

    test::TestDirectory files;
    TargetDirectory target;
};

TEST_F(RedoFileTest, RoundTrip)
{
    int64_t length = write({{{{3, 8192, 2}, {4, 0, 1}}, "abc"}, {{{UINT32_MAX, int64_t{1} << 40, 4}}, "defg"}});
    EXPECT_EQ(read(length), (std::vector<std::string>{"3@8192+2 4@0+1 = abc", "4294967295@1099511627776+4 = defg"}));
}

TEST_F(RedoFileTest, NothingInIt)
{
    EXPECT_EQ(write({}), 0);
    EXPECT_TRUE(read(0).empty());
}

TEST_F(RedoFileTest, CompressionAndSizesAreKept)
{
    std::vector<RedoPiece> pieces = {{0, 0, 100}};
    std::vector<unsigned char> payload = {1, 2, 3};
    RedoWriter writer(target, "redo");
    writer.append({pieces, 2, 100, payload});
    read_redo_file(target, "redo", writer.length(), [&](const RedoRecord &record) {
        EXPECT_EQ(record.compression, 2);
        EXPECT_EQ(record.raw_size, 100u);
        EXPECT_EQ(std::vector<unsigned char>(record.payload.begin(), record.payload.end()), payload);
    });
}

TEST_F(RedoFileTest, ChecksumsOfWhatLiesElsewhere)
{
    RedoPiece piece{7, 0, int64_t{1} << 40, {}};
    piece.checksum.length = 16;
    piece.checksum.bytes.fill(9);
    RedoWriter writer(target, "redo");
    writer.append_checksum(piece);
    int records = 0;
    read_redo_file(target, "redo", writer.length(), [&](const RedoRecord &record) {
        records++;
        EXPECT_EQ(record.compression, content_elsewhere);
        EXPECT_TRUE(record.payload.empty());
        ASSERT_EQ(record.pieces.size(), 1u);
        EXPECT_EQ(record.pieces[0].action, 7u);
        EXPECT_EQ(record.pieces[0].length, int64_t{1} << 40);
        EXPECT_EQ(record.pieces[0].checksum, piece.checksum);
    });
    EXPECT_EQ(records, 1);
}

TEST_F(RedoFileTest, TheLargestRow)
{
    std::string payload(row_payload_bytes, 'z');
    int64_t length = write({{{{0, 0, row_payload_bytes}}, payload}});
    EXPECT_EQ(read(length).size(), 1u);
}

TEST_F(RedoFileTest, AWriterBeginsAnew)
{
    write({{{{1, 0, 3}}, "old"}});
    int64_t length = write({{{{2, 0, 3}}, "new"}});
    EXPECT_EQ(read(length), (std::vector<std::string>{"2@0+3 = new"}));
}

TEST_F(RedoFileTest, DamageOfAnyByteIsFound)
{
    int64_t length = write({{{{3, 8192, 2}, {4, 0, 1}}, "abc"}, {{{5, 0, 4}}, "defg"}});
    std::string good = files.read("redo");
    for (size_t at = 0; at < good.size(); at++) {
        for (int bit : {0, 3, 7}) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
            files.write("redo", bad);
            EXPECT_TRUE(damaged(length)) << "byte " << at << " bit " << bit;
        }
    }
}

TEST_F(RedoFileTest, TruncationIsFound)
{
    int64_t length = write({{{{3, 8192, 2}, {4, 0, 1}}, "abc"}, {{{5, 0, 4}}, "defg"}});
    std::string good = files.read("redo");
    for (size_t size = 0; size < good.size(); size++) {
        files.write("redo", good.substr(0, size));
        EXPECT_TRUE(damaged(length)) << size;
    }
}

TEST_F(RedoFileTest, ALengthInTheMiddleOfARecordIsFound)
{
    int64_t one = write({{{{3, 0, 3}}, "abc"}});
    int64_t both = write({{{{3, 0, 3}}, "abc"}, {{{5, 0, 4}}, "defg"}});
    for (int64_t length = 1; length < both; length++)
        EXPECT_EQ(damaged(length), length != one) << length;
    EXPECT_TRUE(damaged(both + 1));
}

TEST_F(RedoFileTest, PiecesThatDoNotAddUpAreFound)
{
    // Written so, with a right checksum.
    EXPECT_TRUE(damaged(write({{{{3, 0, 2}}, "abc"}})));
    EXPECT_TRUE(damaged(write({{{{3, 0, 4}}, "abc"}})));
    EXPECT_TRUE(damaged(write({{{{3, 0, -1}, {4, 0, 4}}, "abc"}})));
    EXPECT_TRUE(damaged(write({{{{3, 0, INT64_MAX}, {4, 0, INT64_MAX}, {5, 0, 5}}, "abc"}})));
    EXPECT_TRUE(damaged(write({{{{3, -8192, 3}}, "abc"}})));
    EXPECT_TRUE(damaged(write({{{}, "abc"}})));
}

TEST_F(RedoFileTest, AMissingFileIsAnError)
{
    EXPECT_THROW(read(10), Error);
}

} // namespace
} // namespace failback
