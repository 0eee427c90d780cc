#include "helper/cluster/control_file.h"

#include "helper/pg_compat.h"

#include <algorithm>
#include <cstring>
#include <ctime>

extern "C" {
#include "catalog/catversion.h"
#include "port/pg_crc32c.h"
}

namespace failback {

namespace {

pg_crc32c crc_of(const ControlFileData &data)
{
    pg_crc32c crc;
    INIT_CRC32C(crc);
    COMP_CRC32C(crc, &data, offsetof(ControlFileData, crc));
    FIN_CRC32C(crc);
    return crc;
}

// The servers that write this pg_control_version, by its number's convention (major * 100, with changes in between).
std::string writers_of(uint32_t version)
{
    if (version == 1300)
        return "PostgreSQL 13 to 16";
    if (version >= 1000 && version < 10000)
        return format("PostgreSQL %u", version / 100);
    return format("an unknown server (control version %u)", version);
}

void check_version(const ControlFileData &data, const std::string &name)
{
    uint32_t version = data.pg_control_version;
    if (version == PG_CONTROL_VERSION)
        return;
    uint32_t swapped = __builtin_bswap32(version);
    if (version % 65536 == 0 && swapped != 0 && swapped < 65536)
        throw Error(ErrorCode::not_supported,
                    format("control file \"%s\" was written with the other byte order", name.c_str()),
                    format("It is of %s on another kind of machine.", writers_of(swapped).c_str()));
    throw Error(ErrorCode::not_supported,
                format("control file \"%s\" has version %u, but this program was built for version %u", name.c_str(), version,
                       static_cast<unsigned>(PG_CONTROL_VERSION)),
                format("It was written by %s.", writers_of(version).c_str()),
                "Use the program that is installed with that server's version.");
}

// A bool or an enum that holds anything else must not even be looked at as one: its checksum may be right all the same,
// as the source sends what it likes.
void check_values(std::span<const unsigned char> bytes, const std::string &name)
{
    int state;
    std::memcpy(&state, &bytes[offsetof(ControlFileData, state)], sizeof(state));
    bool valid = state >= DB_STARTUP && state <= DB_IN_PRODUCTION;
    for (size_t offset : {offsetof(ControlFileData, checkPointCopy.fullPageWrites), offsetof(ControlFileData, backupEndRequired),
                          offsetof(ControlFileData, wal_log_hints), offsetof(ControlFileData, track_commit_timestamp),
                          offsetof(ControlFileData, float8ByVal)})
        valid = valid && bytes[offset] <= 1;
    if (!valid)
        throw Error(ErrorCode::data_corrupted, format("control file \"%s\" has a value that no server writes", name.c_str()),
                    "Its checksum is right all the same.");
}

// What differs between two clusters, one line each.
class Differences {
public:
    void add(const char *what, const std::string &target, const std::string &source)
    {
        if (target != source)
            lines_ += format("%s%s is %s on the target, %s on the source", lines_.empty() ? "" : "; ", what, target.c_str(),
                             source.c_str());
    }
    void add(const char *what, uint64_t target, uint64_t source) { add(what, std::to_string(target), std::to_string(source)); }
    const std::string &lines() const { return lines_; }

private:
    std::string lines_;
};

} // namespace

TimelineId ControlFile::timeline() const
{
    return TimelineId{std::max<uint32_t>(data.checkPointCopy.ThisTimeLineID, data.minRecoveryPointTLI)};
}

bool ControlFile::cleanly_shut_down() const
{
    return data.state == DB_SHUTDOWNED || data.state == DB_SHUTDOWNED_IN_RECOVERY;
}

const char *ControlFile::state_name() const
{
    switch (data.state) {
    case DB_STARTUP: return "starting up";
    case DB_SHUTDOWNED: return "shut down";
    case DB_SHUTDOWNED_IN_RECOVERY: return "shut down in recovery";
    case DB_SHUTDOWNING: return "shutting down";
    case DB_IN_CRASH_RECOVERY: return "in crash recovery";
    case DB_IN_ARCHIVE_RECOVERY: return "in archive recovery";
    case DB_IN_PRODUCTION: return "in production";
    }
    return "unrecognized state";
}

ControlFile parse_control_file(std::span<const unsigned char> bytes, std::string_view name)
{
    std::string shown(name);
    if (bytes.size() != PG_CONTROL_FILE_SIZE)
        throw Error(ErrorCode::data_corrupted,
                    format("unexpected size of control file \"%s\": %zu bytes, expected %d", shown.c_str(), bytes.size(),
                           PG_CONTROL_FILE_SIZE));
    ControlFile control;
    std::memcpy(&control.data, bytes.data(), sizeof(ControlFileData));
    // Another version has its CRC in another place: that comes first.
    check_version(control.data, shown);
    if (crc_of(control.data) != control.data.crc)
        throw Error(ErrorCode::data_corrupted, format("incorrect checksum in control file \"%s\"", shown.c_str()));
    // Majors that share a control version still differ in their WAL.
    if (control.data.catalog_version_no != CATALOG_VERSION_NO)
        throw Error(ErrorCode::not_supported,
                    format("control file \"%s\" has catalog version %u, but this program was built for catalog version %u",
                           shown.c_str(), static_cast<unsigned>(control.data.catalog_version_no),
                           static_cast<unsigned>(CATALOG_VERSION_NO)),
                    format("It was written by one of %s, this program was built for PostgreSQL %s.",
                           writers_of(control.data.pg_control_version).c_str(), PG_MAJORVERSION),
                    "Use the program that is installed with that server's version.");
    check_values(bytes, shown);
    if (!IsValidWalSegSize(control.data.xlog_seg_size))
        throw Error(ErrorCode::data_corrupted,
                    format("control file \"%s\" has an invalid WAL segment size: %u bytes", shown.c_str(),
                           static_cast<unsigned>(control.data.xlog_seg_size)));
    control.image.assign(bytes.begin(), bytes.end());
    return control;
}

void check_compatible(const ControlFile &target_file, const ControlFile &source_file)
{
    const ControlFileData &target = target_file.data, &source = source_file.data;
    if (target.system_identifier != source.system_identifier)
        throw Error(ErrorCode::wrong_state, "source and target clusters are from different systems",
                    format("The system identifier is %llu on the target, %llu on the source.",
                           static_cast<unsigned long long>(target.system_identifier),
                           static_cast<unsigned long long>(source.system_identifier)),
                    "Check the connection string and the data directory: one of them belongs to another cluster.");
    Differences differences;
    differences.add("control version", target.pg_control_version, source.pg_control_version);
    differences.add("catalog version", target.catalog_version_no, source.catalog_version_no);
    differences.add("data block size", target.blcksz, source.blcksz);
    differences.add("blocks per relation segment", target.relseg_size, source.relseg_size);
    differences.add("WAL block size", target.xlog_blcksz, source.xlog_blcksz);
    differences.add("WAL segment size", target.xlog_seg_size, source.xlog_seg_size);
    differences.add("data checksum version", target.data_checksum_version, source.data_checksum_version);
    differences.add("pages in an SLRU file", slru_pages_per_segment(target), slru_pages_per_segment(source));
    differences.add("signedness of char", char_is_signed(target) ? "signed" : "unsigned",
                    char_is_signed(source) ? "signed" : "unsigned");
    differences.add("maximum data alignment", target.maxAlign, source.maxAlign);
    differences.add("floating-point format", format("%.1f", target.floatFormat), format("%.1f", source.floatFormat));
    differences.add("length of identifiers", target.nameDataLen, source.nameDataLen);
    differences.add("columns in an index", target.indexMaxKeys, source.indexMaxKeys);
    differences.add("size of a TOAST chunk", target.toast_max_chunk_size, source.toast_max_chunk_size);
    differences.add("size of a large-object chunk", target.loblksize, source.loblksize);
    differences.add("float8 argument passing", target.float8ByVal ? "by value" : "by reference",
                    source.float8ByVal ? "by value" : "by reference");
    if (!differences.lines().empty())
        throw Error(ErrorCode::wrong_state, "source and target clusters are not of the same format",
                    "The " + differences.lines() + ".");
}

std::vector<unsigned char> build_standby_control_file(const ControlFile &source, Lsn min_recovery, TimelineId timeline)
{
    ControlFileData data = source.data;
    data.state = DB_IN_ARCHIVE_RECOVERY;
    data.time = static_cast<pg_time_t>(std::time(nullptr));
    data.minRecoveryPoint = min_recovery.value;
    data.minRecoveryPointTLI = timeline.value;
    // backupStartPoint and backupEndPoint stay: the server sets both when it finds a backup_label.
    data.crc = crc_of(data);
    std::vector<unsigned char> image(PG_CONTROL_FILE_SIZE, 0);
    std::memcpy(image.data(), &data, sizeof data);
    return image;
}

} // namespace failback
