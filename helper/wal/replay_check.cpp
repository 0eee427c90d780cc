#include "helper/wal/replay_check.h"

#include "helper/pg_compat.h"
#include "helper/wal/wal_reader.h"

#include <algorithm>
#include <cstring>

namespace failback {

namespace {

// commands/tablespace.h and access/xlog.h, which programs outside of the server cannot include.
constexpr uint8_t xlog_tblspc_create = 0x00;
constexpr size_t tblspc_path_offset = 4; // after the OID; NUL-terminated
constexpr int wal_level_replica = 1;     // above WAL_LEVEL_MINIMAL

class Checker {
public:
    explicit Checker(ReplayCheck &result) : result_(result) {}

    void take(const WalRecord &record)
    {
        result_.records++;
        uint8_t kind = record.info & XLR_RMGR_INFO_MASK;
        switch (record.resource_manager) {
        case RM_DBASE_ID:
            if (kind == XLOG_DBASE_CREATE_FILE_COPY)
                hazard(record, "copies a database's directory");
            break;
        case RM_TBLSPC_ID:
            if (kind == xlog_tblspc_create)
                take_tablespace(record);
            break;
        case RM_XLOG_ID:
            take_settings(record, kind);
            break;
        }
    }

private:
    void hazard(const WalRecord &record, const char *what)
    {
        result_.hazards.push_back(format("the record at %s %s", record.start.text().c_str(), what));
    }

    std::span<const unsigned char> data_of(const WalRecord &record, size_t least)
    {
        decode_record(record, decoded_);
        auto data = main_data(record, decoded_, space_);
        if (data.size() < least)
            throw Error(ErrorCode::data_corrupted, format("WAL record at %s is too short for its kind", record.start.text().c_str()));
        return data;
    }

    void take_tablespace(const WalRecord &record)
    {
        auto data = data_of(record, tblspc_path_offset + 1);
        TablespaceCreation creation;
        std::memcpy(&creation.oid, data.data(), sizeof creation.oid);
        auto path = data.subspan(tblspc_path_offset);
        creation.location.assign(path.begin(), std::find(path.begin(), path.end(), 0));
        creation.at = record.start;
        result_.tablespaces.push_back(std::move(creation));
    }

    void take_settings(const WalRecord &record, uint8_t kind)
    {
        if (kind == XLOG_FPW_CHANGE) {
            if (data_of(record, 1)[0] == 0)
                hazard(record, "turns full_page_writes off");
        } else if (kind == XLOG_PARAMETER_CHANGE) {
            auto data = data_of(record, sizeof(xl_parameter_change));
            int wal_level;
            std::memcpy(&wal_level, data.data() + offsetof(xl_parameter_change, wal_level), sizeof wal_level);
            if (wal_level < wal_level_replica)
                hazard(record, "sets wal_level to \"minimal\"");
        }
    }

    ReplayCheck &result_;
    DecodedRecord decoded_;
    std::vector<unsigned char> space_;
};

} // namespace

ReplayCheck check_replay(SegmentProvider &segments, const ReplayCheckOptions &options)
{
    ReplayCheck result;
    Checker checker(result);
    WalReader reader(segments, {options.history, options.segment_size, options.system_identifier});
    reader.seek(options.start);
    WalRecord record;
    uint64_t records = 0;
    // The end may be given as the place after a page's header where the next record would start.
    while (reader.position() < options.end) {
        if (!reader.next(record))
            throw reader.failure_error(format("WAL that the standby needs is damaged or missing at %s, it should reach to %s",
                                              reader.failure().at.text().c_str(), options.end.text().c_str()));
        checker.take(record);
        constexpr uint64_t records_per_tick = 4096;
        if (++records % records_per_tick == 0 && options.tick)
            options.tick();
    }
    return result;
}

} // namespace failback
