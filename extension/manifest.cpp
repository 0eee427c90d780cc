// pg_failback_manifest(): one row per file, directory and link that a failback could need.

#include "common/chunk_protocol.h"
#include "common/directory_walk.h"
#include "common/path_rules.h"
#include "extension/read_pace.h"
#include "extension/row_stream.h"
#include "extension/running_wal.h"
#include "extension/source_files.h"

extern "C" {
#include "common/relpath.h"
#include "mb/pg_wchar.h"
}

namespace failback {

namespace {

constexpr size_t read_size = 256 * 1024; // bytes read at a time for a checksum

enum class ChecksumOf { all, untracked };

class ManifestStream final : public RowStream {
public:
    ManifestStream(const ChecksumAlgorithm *algorithm, ChecksumOf checksum_of, XLogRecPtr wal_from, bool private_keys,
                   int64_t max_rate)
        : algorithm_(algorithm), checksum_of_(checksum_of), private_keys_(private_keys), pace_(max_rate),
          walk_(DataDir, walk_options(private_keys)), wal_from_(wal_from)
    {
        if (wal_from_ != 0)
            wal_ = RunningWal::look(ControlImage::read());
        if (algorithm_)
            buffer_.resize(read_size);
    }

    bool next(Datum *values, bool *nulls) override
    {
        for (;;) {
            check_interrupts();
            std::optional<FileEntry> entry = walk_.next();
            if (!entry)
                return false;
            if (!is_wanted(*entry) || !add_checksum(*entry))
                continue;
            fill(*entry, values, nulls);
            return true;
        }
    }

private:
    static WalkOptions walk_options(bool private_keys)
    {
        WalkOptions options;
        if (auto log_directory = source_log_directory())
            options.log_directories.push_back(*log_directory);
        options.private_keys = private_keys;
        options.tablespace_directory = TABLESPACE_VERSION_DIRECTORY;
        options.check_interrupts = [] { failback::check_interrupts(); };
        return options;
    }

    bool is_wanted(const FileEntry &entry) const
    {
        // A name that is no text here cannot be sent, nor asked for.
        if (!pg_verifymbstr(entry.path.data(), static_cast<int>(entry.path.size()), true))
            return false;
        PathClass path_class = classify_path(entry.path);
        if (path_class == PathClass::control_file)
            return false;
        if (!private_keys_ && (path_class == PathClass::configuration || path_class == PathClass::other) && is_key(entry))
            return false;
        return path_class != PathClass::wal_segment || is_wanted_segment(entry);
    }

    static bool is_key(const FileEntry &entry)
    {
        struct stat status;
        return entry.kind == FileKind::regular && ::lstat((std::string(DataDir) + "/" + entry.path).c_str(), &status) == 0 &&
               is_key_of_server(status);
    }

    // Only complete segments of this server's own history, between wal_from and now: no recycled
    // ones waiting under future names, no older ones.
    bool is_wanted_segment(const FileEntry &entry) const
    {
        if (!wal_ || entry.kind != FileKind::regular || entry.size != wal_segment_size)
            return false;
        TimeLineID timeline;
        XLogSegNo segment;
        XLogFromFileName(entry.path.c_str() + strlen("pg_wal/"), &timeline, &segment, wal_segment_size);
        return segment >= wal_->segment_of(wal_from_) && segment <= wal_->last_segment() &&
               timeline == wal_->timeline_of_segment(segment);
    }

    bool needs_checksum(const FileEntry &entry) const
    {
        if (!algorithm_ || entry.kind != FileKind::regular)
            return false;
        if (checksum_of_ == ChecksumOf::all)
            return true;
        PathClass path_class = classify_path(entry.path);
        return path_class != PathClass::relation_main && path_class != PathClass::wal_segment;
    }

    // false when the file is gone.
    bool add_checksum(FileEntry &entry)
    {
        if (!needs_checksum(entry))
            return true;
        SourceFile file(entry.path);
        if (!file)
            return false;
        auto checksummer = algorithm_->start();
        int64_t size = 0;
        for (;;) {
            check_interrupts();
            size_t n = file.read(size, buffer_);
            checksummer->update(std::span(buffer_).first(n));
            give_sign_of_life(entry.path);
            pace_.has_read(static_cast<int64_t>(n), [&] { give_sign_of_life(entry.path); });
            size += static_cast<int64_t>(n);
            if (n < buffer_.size())
                break;
        }
        // Of the same moment as the checksum: the file may have grown since it was listed.
        entry.size = size;
        entry.checksum = checksummer->finish();
        entry.has_checksum = true;
        return true;
    }

    // A row comes when the whole of its file has been read: whoever waits for it could not tell that from a server that hangs.
    // The rows that wait to be sent go with it.
    void give_sign_of_life(const std::string &path)
    {
        auto now = std::chrono::steady_clock::now();
        if (now - last_sign_ < std::chrono::seconds(sign_of_life_seconds))
            return;
        last_sign_ = now;
        pg_call([&] { ereport(NOTICE, (errmsg("still reading \"%s\"", path.c_str()))); });
    }

    static void fill(const FileEntry &entry, Datum *values, bool *nulls)
    {
        pg_call([&] {
            values[0] = text_datum(entry.path);
            values[1] = CharGetDatum(static_cast<char>(entry.kind));
            values[2] = Int64GetDatum(entry.size);
            values[3] = Int32GetDatum(static_cast<int32_t>(entry.mode));
            constexpr int64_t epoch = int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
            values[4] = TimestampTzGetDatum(entry.mtime - epoch);
            if (entry.kind == FileKind::symlink)
                values[5] = text_datum(entry.link_target);
            else
                nulls[5] = true;
            if (entry.has_checksum)
                values[6] = bytea_datum(std::span(entry.checksum.bytes).first(entry.checksum.length));
            else
                nulls[6] = true;
        });
    }

    const ChecksumAlgorithm *algorithm_; // nullptr: none
    ChecksumOf checksum_of_;
    bool private_keys_;
    ReadPace pace_;
    DirectoryWalk walk_;
    XLogRecPtr wal_from_;
    std::optional<RunningWal> wal_; // if WAL segments are listed
    std::vector<unsigned char> buffer_;
    std::chrono::steady_clock::time_point last_sign_ = std::chrono::steady_clock::now();
};

RowStream *make_manifest(FunctionCallInfo fcinfo)
{
    std::string checksum = text_argument(fcinfo, 0, "checksum");
    const ChecksumAlgorithm *algorithm = checksum == "none" ? nullptr : &find_checksum_algorithm(checksum);

    std::string of = text_argument(fcinfo, 1, "checksum_of");
    if (of != "all" && of != "untracked")
        throw Error(ErrorCode::invalid_parameter, format("unrecognized value for \"checksum_of\": \"%s\"", of.c_str()),
                    {}, "Known values are \"all\" and \"untracked\".");

    XLogRecPtr wal_from = PG_ARGISNULL(2) ? 0 : PG_GETARG_LSN(2);

    require_not_null(fcinfo, 3, "private_keys");
    bool private_keys = PG_GETARG_BOOL(3);
    if (private_keys && !pg_call([] { return superuser(); }))
        throw Error(ErrorCode::access_denied, "permission denied to list private keys", {},
                    "Private keys are served to superusers only.");

    require_not_null(fcinfo, 4, "max_rate");
    int64_t max_rate = PG_GETARG_INT64(4);
    if (max_rate < 0)
        throw Error(ErrorCode::invalid_parameter, "\"max_rate\" must not be negative", {}, "0 means no limit.");

    return new ManifestStream(algorithm, of == "all" ? ChecksumOf::all : ChecksumOf::untracked, wal_from, private_keys, max_rate);
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_manifest);
Datum pg_failback_manifest(PG_FUNCTION_ARGS)
{
    return failback::stream_rows(fcinfo, failback::make_manifest);
}
}
