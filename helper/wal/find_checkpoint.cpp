#include "helper/pg_compat.h"
#include "helper/wal/wal_reader.h"
#include "helper/wal/wal_scan.h"

#include <cstddef>
#include <cstring>

namespace failback {

namespace {

bool is_checkpoint(const WalRecord &record)
{
    uint8_t kind = record.info & XLR_RMGR_INFO_MASK;
    return record.resource_manager == RM_XLOG_ID && (kind == XLOG_CHECKPOINT_SHUTDOWN || kind == XLOG_CHECKPOINT_ONLINE);
}

Checkpoint read_checkpoint(WalReader &reader, Lsn at)
{
    reader.seek(at);
    WalRecord record;
    if (!reader.next(record))
        throw reader.failure_error(format("could not read the checkpoint record at %s", at.text().c_str()));
    DecodedRecord decoded;
    decode_record(record, decoded);
    std::vector<unsigned char> space;
    std::span<const unsigned char> bytes = main_data(record, decoded, space);
    CheckPoint data;
    if (bytes.size() < sizeof(data))
        throw Error(ErrorCode::data_corrupted, format("the checkpoint record at %s is too short", at.text().c_str()));
    std::memcpy(&data, bytes.data(), sizeof(data));
    Checkpoint checkpoint;
    checkpoint.record = at;
    checkpoint.redo = Lsn{data.redo};
    checkpoint.timeline = TimelineId{data.ThisTimeLineID};
    checkpoint.full_page_writes = bytes[offsetof(CheckPoint, fullPageWrites)] != 0; // a bool that may hold anything
    checkpoint.shutdown = (record.info & XLR_RMGR_INFO_MASK) == XLOG_CHECKPOINT_SHUTDOWN;
    return checkpoint;
}

} // namespace

Checkpoint find_last_checkpoint(SegmentProvider &segments, const TimelineHistory &history, uint32_t segment_size,
                                uint64_t system_identifier, Lsn before)
{
    WalReader reader(segments, {&history, segment_size, system_identifier});
    // There may be no record at `before` itself, so its link cannot be relied on: read up to it instead.
    reader.seek_before(before);
    WalRecord record;
    do {
        if (!reader.next(record))
            throw reader.failure_error(format("could not read WAL before %s", before.text().c_str()));
    } while (reader.position() < before);

    // Every link comes from a record that was checked or linked from a checked one; only the checkpoint itself
    // is read whole. What lies between it and `before` is checked when it is scanned.
    bool common = record.end <= before; // else it is a record that the other history does not have
    while (!common || !is_checkpoint(record)) {
        Lsn previous = record.previous;
        if (!previous.valid())
            throw Error(ErrorCode::wrong_state, format("no checkpoint record found before %s", before.text().c_str()));
        if (!reader.read_header(previous, record))
            throw reader.failure_error(format("could not find the last checkpoint before %s", before.text().c_str()));
        common = true;
    }
    return read_checkpoint(reader, record.start);
}

} // namespace failback
