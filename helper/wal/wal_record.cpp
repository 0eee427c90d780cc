#include "helper/wal/wal_record.h"

#include "helper/pg_compat.h"

#include <algorithm>
#include <cstring>

namespace failback {

namespace {

// No record's headers are longer: 33 blocks with an image, a compressed hole and a relation each, a long
// data header, an origin and a top-level transaction.
constexpr size_t max_header_bytes = SizeOfXLogRecord +
                                    max_block_references * (SizeOfXLogRecordBlockHeader + SizeOfXLogRecordBlockImageHeader +
                                                            SizeOfXLogRecordBlockCompressHeader + sizeof(PgRelation) +
                                                            sizeof(BlockNumber)) +
                                    (1 + sizeof(uint32)) + (1 + sizeof(PgOriginId)) + (1 + sizeof(TransactionId));

[[noreturn]] void malformed(const WalRecord &record, const char *what)
{
    throw Error(ErrorCode::data_corrupted, format("WAL record at %s is malformed", record.start.text().c_str()),
                format("Its checksum is right, but %s.", what));
}

// Reads unaligned fields one after another, never past the end.
class HeaderCursor {
public:
    HeaderCursor(const WalRecord &record, std::span<const unsigned char> bytes) : record_(record), bytes_(bytes) {}

    template <class Field> Field take()
    {
        if (bytes_.size() - at_ < sizeof(Field))
            malformed(record_, "its headers are longer than it");
        Field field;
        std::memcpy(&field, bytes_.data() + at_, sizeof(field));
        at_ += sizeof(field);
        return field;
    }

    void skip(size_t bytes)
    {
        if (bytes_.size() - at_ < bytes)
            malformed(record_, "its headers are longer than it");
        at_ += bytes;
    }

    size_t at() const { return at_; }

private:
    const WalRecord &record_;
    std::span<const unsigned char> bytes_;
    size_t at_ = 0;
};

void copy_range(const WalRecord &record, size_t from, std::span<unsigned char> to)
{
    size_t piece_start = 0;
    size_t done = 0;
    for (const auto &piece : record.pieces) {
        if (done == to.size())
            return;
        size_t wanted = from + done;
        if (wanted < piece_start + piece.size()) {
            size_t bytes = std::min(piece.size() - (wanted - piece_start), to.size() - done);
            std::memcpy(to.data() + done, piece.data() + (wanted - piece_start), bytes);
            done += bytes;
        }
        piece_start += piece.size();
    }
}

// Returns the bytes of block data and image that follow the headers.
uint32_t take_block(HeaderCursor &cursor, const WalRecord &record, uint8_t id, BlockReference &block,
                    const BlockReference *previous)
{
    auto fork_flags = cursor.take<uint8_t>();
    auto data_length = cursor.take<uint16_t>();
    block = {};
    block.id = id;
    block.fork = fork_flags & BKPBLOCK_FORK_MASK;
    block.has_image = fork_flags & BKPBLOCK_HAS_IMAGE;
    if (((fork_flags & BKPBLOCK_HAS_DATA) != 0) != (data_length > 0))
        malformed(record, "a block's data length contradicts its flags");
    uint32_t payload = data_length;
    if (block.has_image) {
        block.image_bytes = cursor.take<uint16_t>();
        cursor.skip(sizeof(uint16_t)); // hole_offset
        auto image_info = cursor.take<uint8_t>();
        block.image_applied = image_info & BKPIMAGE_APPLY;
        if ((image_info & BKPIMAGE_HAS_HOLE) && BKPIMAGE_COMPRESSED(image_info))
            cursor.skip(SizeOfXLogRecordBlockCompressHeader);
        payload += block.image_bytes;
    }
    if (!(fork_flags & BKPBLOCK_SAME_REL))
        block.relation = relation_id(cursor.take<PgRelation>());
    else if (previous)
        block.relation = previous->relation;
    else
        malformed(record, "its first block names no relation");
    block.block = cursor.take<BlockNumber>();
    return payload;
}

} // namespace

void decode_record(const WalRecord &record, DecodedRecord &decoded)
{
    unsigned char space[max_header_bytes];
    std::span<const unsigned char> bytes = record.pieces.front();
    if (record.pieces.size() > 1 && bytes.size() < max_header_bytes) {
        std::span<unsigned char> copy(space, std::min<size_t>(max_header_bytes, record.total_length));
        copy_range(record, 0, copy);
        bytes = copy;
    }

    decoded.reference_count = 0;
    decoded.main_data_bytes = 0;
    decoded.image_bytes = 0;
    HeaderCursor cursor(record, bytes);
    cursor.skip(SizeOfXLogRecord);
    uint64_t payload = 0; // bytes that follow the headers
    // The headers end where the payload they announce fills the rest. The main data's header comes last.
    while (record.total_length - cursor.at() > payload) {
        auto id = cursor.take<uint8_t>();
        if (id <= XLR_MAX_BLOCK_ID) {
            BlockReference *previous = nullptr;
            if (decoded.reference_count > 0)
                previous = &decoded.references[decoded.reference_count - 1];
            if (previous && id <= previous->id)
                malformed(record, "its blocks are out of order");
            BlockReference &block = decoded.references[decoded.reference_count];
            payload += take_block(cursor, record, id, block, previous);
            decoded.image_bytes += block.image_bytes;
            ++decoded.reference_count;
        } else if (id == XLR_BLOCK_ID_DATA_SHORT) {
            decoded.main_data_bytes = cursor.take<uint8_t>();
            payload += decoded.main_data_bytes;
            break;
        } else if (id == XLR_BLOCK_ID_DATA_LONG) {
            decoded.main_data_bytes = cursor.take<uint32_t>();
            payload += decoded.main_data_bytes;
            break;
        } else if (id == XLR_BLOCK_ID_ORIGIN) {
            cursor.skip(sizeof(PgOriginId));
        } else if (id == XLR_BLOCK_ID_TOPLEVEL_XID) {
            cursor.skip(sizeof(TransactionId));
        } else {
            malformed(record, "it has an unknown kind of header");
        }
    }
    if (record.total_length - cursor.at() != payload)
        malformed(record, "its parts do not add up to its length");
}

std::span<const unsigned char> main_data(const WalRecord &record, const DecodedRecord &decoded,
                                         std::vector<unsigned char> &space)
{
    std::span<const unsigned char> last = record.pieces.back();
    if (decoded.main_data_bytes <= last.size())
        return last.last(decoded.main_data_bytes);
    space.resize(decoded.main_data_bytes);
    copy_range(record, record.total_length - decoded.main_data_bytes, space);
    return space;
}

} // namespace failback
