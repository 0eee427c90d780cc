#include "helper/wal/wal_scan.h"

#include "helper/pg_compat.h"
#include "helper/wal/wal_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace failback {

namespace {

// Collects what the records say, from where it counts.
class Collector {
public:
    Collector(const WalScanOptions &options, WalScanResult &result)
        : result_(result), divergence_(options.divergence), collecting_(!options.full_page_writes_at_start) {}

    void take(const WalRecord &record)
    {
        // A record that only ends after the divergence cannot be in the source's history.
        if (!diverged_ && record.end > divergence_)
            diverged_ = collecting_ = true;
        result_.restarted |= std::exchange(stopped_, false);
        if (record.resource_manager == RM_XLOG_ID)
            note_server(record);
        // Without full-page images, replay of the common WAL does not restore pages from nothing.
        if (!collecting_ && record.resource_manager == RM_XLOG_ID && kind(record) == XLOG_FPW_CHANGE)
            collecting_ = turns_full_page_writes_off(record);
        if (collecting_)
            collect(record);
    }

private:
    static uint8_t kind(const WalRecord &record) { return record.info & XLR_RMGR_INFO_MASK; }

    // What the records say about how the server ran.
    void note_server(const WalRecord &record)
    {
        switch (kind(record)) {
        case XLOG_CHECKPOINT_SHUTDOWN:
            stopped_ = diverged_;
            break;
        case XLOG_FPI_FOR_HINT:
            result_.hints_were_logged |= !result_.restarted;
            break;
        case XLOG_PARAMETER_CHANGE:
            result_.parameters_changed |= diverged_;
            if (turns_hints_off(record))
                result_.hints_were_logged = false;
            break;
        }
    }

    bool turns_hints_off(const WalRecord &record)
    {
        decode_record(record, decoded_);
        auto data = fixed_data<xl_parameter_change>(record);
        uint8_t hints; // a bool that may hold anything
        std::memcpy(&hints, &data.wal_log_hints, sizeof(hints));
        return hints == 0;
    }

    bool turns_full_page_writes_off(const WalRecord &record)
    {
        decode_record(record, decoded_);
        return fixed_data<uint8_t>(record) == 0; // a bool that may hold anything
    }

    // The main data as PostgreSQL's struct for it, which may be followed by more.
    template <class Data> Data fixed_data(const WalRecord &record)
    {
        std::span<const unsigned char> bytes = main_data(record, decoded_, space_);
        if (bytes.size() < sizeof(Data))
            throw Error(ErrorCode::data_corrupted, format("WAL record at %s is too short for its kind", record.start.text().c_str()),
                        format("Resource manager %u, info 0x%02X, %zu bytes of data.", record.resource_manager, record.info,
                               bytes.size()));
        Data data;
        std::memcpy(&data, bytes.data(), sizeof(data));
        return data;
    }

    void collect(const WalRecord &record)
    {
        decode_record(record, decoded_);
        for (const BlockReference &block : decoded_.blocks()) {
            if (block.fork == static_cast<uint8_t>(ForkKind::main))
                result_.blocks.add_block(block.relation, block.block);
        }
        switch (record.resource_manager) {
        case RM_XACT_ID:
            if (diverged_)
                count_transaction(record);
            break;
        case RM_SMGR_ID:
            collect_storage(record);
            break;
        case RM_DBASE_ID:
            collect_database(record);
            break;
        }
        if (!is_understood(record) && !result_.untrusted)
            result_.untrusted = format("WAL record at %s of resource manager %u (info 0x%02X) changes files in an unknown way",
                                       record.start.text().c_str(), record.resource_manager, record.info);
    }

    void collect_storage(const WalRecord &record)
    {
        if (kind(record) == XLOG_SMGR_CREATE) {
            auto data = fixed_data<xl_smgr_create>(record);
            int fork; // an enum that may hold anything
            std::memcpy(&fork, &data.forkNum, sizeof(fork));
            if (fork == MAIN_FORKNUM || fork == INIT_FORKNUM)
                result_.blocks.add_created(relation_id(data));
        } else if (kind(record) == XLOG_SMGR_TRUNCATE) {
            auto data = fixed_data<xl_smgr_truncate>(record);
            if (data.flags & SMGR_TRUNCATE_HEAP)
                result_.blocks.add_truncation(relation_id(data), data.blkno);
        }
    }

    // ALTER DATABASE SET TABLESPACE writes a create record too.
    void collect_database(const WalRecord &record)
    {
        if (kind(record) == XLOG_DBASE_CREATE_FILE_COPY) {
            auto data = fixed_data<xl_dbase_create_file_copy_rec>(record);
            result_.blocks.add_created_database(data.tablespace_id, data.db_id);
        } else if (kind(record) == XLOG_DBASE_CREATE_WAL_LOG) {
            auto data = fixed_data<xl_dbase_create_wal_log_rec>(record);
            result_.blocks.add_created_database(data.tablespace_id, data.db_id);
        }
    }

    void count_transaction(const WalRecord &record)
    {
        switch (record.info & XLOG_XACT_OPMASK) {
        case XLOG_XACT_COMMIT:
        case XLOG_XACT_COMMIT_PREPARED: {
            // The time comes first in the data, whatever follows.
            auto time = fixed_data<TimestampTz>(record);
            LostWork &lost = result_.lost;
            lost.first_commit_time = lost.commits == 0 ? time : std::min(lost.first_commit_time, time);
            lost.last_commit_time = lost.commits == 0 ? time : std::max(lost.last_commit_time, time);
            ++lost.commits;
            break;
        }
        case XLOG_XACT_ABORT:
        case XLOG_XACT_ABORT_PREPARED:
            ++result_.lost.aborts;
            break;
        case XLOG_XACT_PREPARE:
            ++result_.lost.prepared;
            break;
        }
    }

    // Does comparing file lists, sizes and the referenced blocks cover all that the record changes?
    static bool is_understood(const WalRecord &record)
    {
        if (record.resource_manager > RM_MAX_BUILTIN_ID && record.resource_manager < RM_MIN_CUSTOM_ID)
            return false;
        if (!(record.info & XLR_SPECIAL_REL_UPDATE))
            return true;
        switch (record.resource_manager) {
        case RM_SMGR_ID:
            return kind(record) == XLOG_SMGR_CREATE || kind(record) == XLOG_SMGR_TRUNCATE;
        case RM_DBASE_ID:
            return kind(record) == XLOG_DBASE_CREATE_FILE_COPY || kind(record) == XLOG_DBASE_CREATE_WAL_LOG ||
                   kind(record) == XLOG_DBASE_DROP;
        case RM_XACT_ID: {
            uint8_t operation = record.info & XLOG_XACT_OPMASK;
            return operation == XLOG_XACT_COMMIT || operation == XLOG_XACT_COMMIT_PREPARED ||
                   operation == XLOG_XACT_ABORT || operation == XLOG_XACT_ABORT_PREPARED;
        }
        default:
            return false;
        }
    }

    WalScanResult &result_;
    Lsn divergence_;
    bool collecting_;
    bool diverged_ = false;
    bool stopped_ = false; // by the last record
    DecodedRecord decoded_;
    std::vector<unsigned char> space_;
};

} // namespace

WalScanResult scan_wal(SegmentProvider &segments, const WalScanOptions &options)
{
    WalScanResult result;
    Collector collector(options, result);
    const WalOrigin origin{options.history, options.segment_size, options.system_identifier};
    WalReader reader(segments, origin);
    reader.seek(options.start);
    WalRecord record;
    uint64_t reported = options.start.value / options.segment_size;
    // A known end may be given as the place after a page's header where the next record would start.
    while (!options.known_end.valid() || reader.position() < options.known_end) {
        if (!reader.next(record)) {
            if (options.known_end.valid())
                throw reader.failure_error(format("WAL of the target is damaged or missing at %s, it should reach to %s",
                                                  reader.failure().at.text().c_str(), options.known_end.text().c_str()));
            break;
        }
        ++result.records;
        result.end_of_wal = record.end;
        collector.take(record);
        uint64_t segno = record.end.value / options.segment_size;
        if (segno != reported && options.progress)
            options.progress(record.end);
        reported = segno;
    }
    if (result.records == 0 || (options.at_least.valid() && reader.position() < options.at_least))
        throw reader.failure_error(format("WAL of the target is damaged or missing at %s, it should reach to %s at least",
                                          reader.failure().at.text().c_str(),
                                          std::max(options.at_least, options.start).text().c_str()));
    if (options.present != nullptr && !options.known_end.valid())
        if (auto beyond = find_wal_beyond(segments, origin, reader.position(), *options.present, options.progress))
            throw reader.failure_error(format("WAL of the target is damaged or missing at %s, it goes on at %s",
                                              reader.failure().at.text().c_str(), beyond->text().c_str()));
    if (result.end_of_wal > options.divergence)
        result.lost.wal_bytes = result.end_of_wal.value - options.divergence.value;
    return result;
}

} // namespace failback
