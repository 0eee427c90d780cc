#include "helper/wal/wal_record.h"

#include "helper/wal/test_wal.h"
#include "helper/wal/wal_reader.h"

#include <gtest/gtest.h>

#include <random>

namespace failback {
namespace {

using test::TestBlock;
using test::TestWal;

DecodedRecord decode_at(TestWal &wal, Lsn start)
{
    WalReader reader(wal, {&wal.history(), wal.segment_size(), TestWal::system_identifier});
    reader.seek(start);
    WalRecord record;
    DecodedRecord decoded;
    if (!reader.next(record))
        throw std::runtime_error("no record: " + reader.failure().reason);
    decode_record(record, decoded);
    return decoded;
}

TEST(WalRecord, ReadsEveryKindOfBlockReference)
{
    RelationId other{1664, 0, 1262};
    for (uint32_t left : {8u, 32u, 48u, 4000u}) { // in one page, or its headers across two
        TestWal wal;
        wal.append_sized(wal.room_in_page() - left);
        Lsn start = wal.append({.blocks = {TestBlock{.block = 11, .image_bytes = 8000, .data_bytes = 6},
                                           TestBlock{.block = 12, .fork = ForkKind::vm, .same_relation = true},
                                           TestBlock{.relation = other, .block = UINT32_MAX - 1, .data_bytes = 1}},
                                .main_data = std::string(300, 'm')});
        DecodedRecord decoded = decode_at(wal, start);
        ASSERT_EQ(decoded.blocks().size(), 3u);
        EXPECT_EQ(decoded.blocks()[0].relation, (RelationId{1663, 5, 16384}));
        EXPECT_EQ(decoded.blocks()[0].block, 11u);
        EXPECT_TRUE(decoded.blocks()[0].has_image);
        EXPECT_TRUE(decoded.blocks()[0].image_applied);
        EXPECT_EQ(decoded.blocks()[1].relation, (RelationId{1663, 5, 16384}));
        EXPECT_EQ(decoded.blocks()[1].fork, static_cast<uint8_t>(ForkKind::vm));
        EXPECT_FALSE(decoded.blocks()[1].has_image);
        EXPECT_EQ(decoded.blocks()[2].relation, other);
        EXPECT_EQ(decoded.blocks()[2].block, UINT32_MAX - 1);
        EXPECT_EQ(decoded.main_data_bytes, 300u);
        EXPECT_EQ(decoded.image_bytes, 8000u);
    }
}

TEST(WalRecord, ReadsTheLargestNumberOfBlocks)
{
    TestWal wal;
    test::TestRecord record;
    for (uint32_t i = 0; i < max_block_references; ++i)
        record.blocks.push_back({.block = i * 10, .image_bytes = 300});
    DecodedRecord decoded = decode_at(wal, wal.append(record));
    ASSERT_EQ(decoded.blocks().size(), max_block_references);
    EXPECT_EQ(decoded.blocks().back().block, 320u);
    EXPECT_EQ(decoded.main_data_bytes, 0u);
}

TEST(WalRecord, AcceptsARecordWithoutAnything)
{
    TestWal wal;
    DecodedRecord decoded = decode_at(wal, wal.append({}));
    EXPECT_TRUE(decoded.blocks().empty());
    EXPECT_EQ(decoded.main_data_bytes, 0u);
}

// A right checksum over headers that contradict each other.
TEST(WalRecord, RefusesHeadersThatDoNotAddUp)
{
    struct Case {
        size_t offset; // in the record
        unsigned char value;
        const char *what;
    };
    // The header is 24 bytes; then id, fork_flags, data_length (2), relation (12), block (4), id, data_length.
    for (Case each : {Case{24, 250, "unknown kind"}, Case{25, BKPBLOCK_SAME_REL | BKPBLOCK_HAS_DATA, "names no relation"},
                      Case{25, 0, "contradicts its flags"}, Case{26, 200, "add up"}, Case{45, 8, "add up"},
                      Case{25, BKPBLOCK_HAS_IMAGE | BKPBLOCK_HAS_DATA, ""}, Case{44, XLR_BLOCK_ID_DATA_LONG, ""},
                      Case{44, 0, "out of order"}}) {
        TestWal wal;
        Lsn start = wal.append({.blocks = {TestBlock{.block = 1, .data_bytes = 5}}, .main_data = "main data"});
        wal.append_sized(90);
        EXPECT_NO_THROW(decode_at(wal, start));
        *(wal.at(start) + each.offset) = each.value;
        wal.seal(start);
        try {
            decode_at(wal, start);
            ADD_FAILURE() << "no error: " << each.offset << " " << int(each.value);
        } catch (const Error &error) {
            EXPECT_NE(error.detail().find(each.what), std::string::npos) << error.detail() << " " << each.what;
            EXPECT_NE(std::string(error.what()).find(start.text()), std::string::npos);
        }
    }
}

// Whatever stands in the headers, nothing outside the record is read (the sanitizers watch its exact bytes).
TEST(WalRecord, SurvivesRandomHeaders)
{
    std::mt19937 random(7);
    int refused = 0;
    for (int i = 0; i < 20000; ++i) {
        std::vector<unsigned char> bytes(25 + random() % 120);
        for (size_t at = SizeOfXLogRecord; at < bytes.size(); ++at)
            bytes[at] = static_cast<unsigned char>(random() % 2 ? random() : random() % 2 * 16 + random() % 4);
        // Often a block or a data header comes first.
        const unsigned char first[] = {0, 1, XLR_BLOCK_ID_DATA_SHORT, XLR_BLOCK_ID_DATA_LONG, XLR_BLOCK_ID_ORIGIN};
        bytes[SizeOfXLogRecord] = first[random() % 5];
        std::span<const unsigned char> piece(bytes);
        WalRecord record;
        record.start = Lsn{0x1000028};
        record.total_length = static_cast<uint32_t>(bytes.size());
        record.pieces = {&piece, 1};
        DecodedRecord decoded;
        try {
            decode_record(record, decoded);
            EXPECT_LE(decoded.main_data_bytes, bytes.size());
        } catch (const Error &) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 1000);
    EXPECT_LT(refused, 20000);
}

} // namespace
} // namespace failback
