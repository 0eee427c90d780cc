#include "helper/source/local_source.h"

#include "common/directory_walk.h"
#include "common/path_rules.h"
#include "helper/cluster/running_server.h"
#include "helper/cluster/target_settings.h"
#include "helper/cluster/timeline_history.h"
#include "helper/source/local_reader.h"
#include "helper/source/rate_limiter.h"
#include "helper/wal/segment_provider.h"
#include "helper/wal/wal_reader.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>

namespace failback {

namespace {

constexpr size_t checksum_buffer_bytes = 256 * 1024;
constexpr const char *default_log_directory = "log";

// Of a stopped server; the default where its configuration cannot be read (it may be another machine's).
std::string log_directory_of(const std::string &path, const std::string &postgres_program)
{
    if (postgres_program.empty())
        return default_log_directory;
    try {
        auto settings = read_target_settings(postgres_program, find_target_config(path, ""), {"log_directory"});
        return log_directory_inside(settings["log_directory"], std::filesystem::absolute(path).string()).value_or("");
    } catch (const Error &error) {
        pg_log_debug("%s: %s", error.what(), error.detail().c_str());
        return default_log_directory;
    }
}

const char *wal_level_name(int level)
{
    // access/xlog.h, enum WalLevel: not to be included by programs.
    return level == 0 ? "minimal" : level == 1 ? "replica" : "logical";
}

void check_not_the_target(int source_fd, const std::string &path, const std::string &target_path)
{
    struct stat source, target;
    if (::fstat(source_fd, &source) != 0)
        throw io_error("examine directory", path, errno);
    if (::stat(target_path.c_str(), &target) != 0)
        throw io_error("examine directory", target_path, errno);
    if (source.st_dev == target.st_dev && source.st_ino == target.st_ino)
        throw Error(ErrorCode::invalid_parameter, format("source and target are the same directory \"%s\"", path.c_str()), "",
                    "Name the new primary's data directory with --source-pgdata.");
}

// Links copied with the data directory lead to the same place: what is written to the target would then be written to
// the source.
void check_shares_nothing(const std::string &path, const std::string &target_path)
{
    std::vector<std::string> places = {"pg_wal"};
    std::error_code ignored; // what cannot be listed is reported by the walk
    for (const auto &entry : std::filesystem::directory_iterator(path + "/pg_tblspc", ignored))
        places.push_back("pg_tblspc/" + entry.path().filename().string());
    for (const std::string &place : places) {
        struct stat source, target;
        if (::stat((path + "/" + place).c_str(), &source) == 0 && ::stat((target_path + "/" + place).c_str(), &target) == 0 &&
            source.st_dev == target.st_dev && source.st_ino == target.st_ino)
            throw Error(ErrorCode::invalid_parameter, format("source and target share the directory \"%s\"", place.c_str()), "",
                        "Give the target's symbolic link a directory of its own.");
    }
}

// End of the shutdown checkpoint's record, the last one that a primary writes.
Lsn end_of_shutdown_checkpoint(const ControlFile &control, const TimelineHistory &history, const std::string &wal_directory)
{
    uint32_t segment_size = control.data.xlog_seg_size;
    auto segments = make_directory_provider(wal_directory, segment_size);
    WalReader reader(*segments, {&history, segment_size, control.data.system_identifier});
    reader.seek(control.checkpoint());
    WalRecord record;
    if (!reader.next(record))
        throw reader.failure_error("could not read the source's shutdown checkpoint at " + control.checkpoint().text());
    if (record.resource_manager != RM_XLOG_ID || (record.info & ~XLR_INFO_MASK) != XLOG_CHECKPOINT_SHUTDOWN)
        throw Error(ErrorCode::data_corrupted,
                    format("the source's WAL has no shutdown checkpoint at %s", control.checkpoint().text().c_str()));
    return record.end;
}

// Of the whole content, and its length; false if the file is gone.
bool add_checksum(const BeneathDirectory &directory, FileEntry &entry, std::vector<unsigned char> &buffer)
{
    LocalFileReader file(directory, entry.path);
    if (!file)
        return false;
    auto checksummer = default_checksum_algorithm().start();
    int64_t size = 0;
    while (size_t got = file.read(size, buffer)) {
        checksummer->update(std::span(buffer).first(got));
        size += static_cast<int64_t>(got);
    }
    entry.size = size;
    entry.checksum = checksummer->finish();
    entry.has_checksum = true;
    return true;
}

} // namespace

LocalSource::LocalSource(const std::string &path, const std::string &target_path, const std::string &postgres_program)
    : directory_(std::make_shared<BeneathDirectory>(path))
{
    check_not_the_target(directory_->fd(), path, target_path);
    check_shares_nothing(path, target_path);
    if (::flock(directory_->fd(), LOCK_SH | LOCK_NB) != 0)
        throw errno == EWOULDBLOCK
            ? Error(ErrorCode::wrong_state, format("another pg_failback is at work on \"%s\"", path.c_str()), "",
                    "Wait until it has finished, or stop it; then run the command again.")
            : io_error("lock directory", path, errno);
    if (auto server = find_running_server(path))
        throw Error(ErrorCode::wrong_state, format("source server must be shut down: %s is using \"%s\"", server->c_str(), path.c_str()),
                    "", "Stop it, for example with \"pg_ctl stop\", or use --source-server.");
    control_ = read_control();
    check_state();
    log_directory_ = log_directory_of(path, postgres_program);
    if (control_.data.state == DB_SHUTDOWNED_IN_RECOVERY) {
        end_ = control_.min_recovery_point();
    } else {
        TimelineHistory history = parse_timeline_history(history_text(), control_.timeline(), "timeline history of the source");
        end_ = end_of_shutdown_checkpoint(control_, history, absolute("pg_wal"));
    }
}

ControlFile LocalSource::read_control() const
{
    LocalFileReader file(*directory_, control_file_path);
    if (!file) {
        bool unfinished = static_cast<bool>(LocalFileReader(*directory_, note_path));
        throw Error(unfinished ? ErrorCode::wrong_state : ErrorCode::undefined_file,
                    format("\"%s\" does not exist", absolute(control_file_path).c_str()), "",
                    unfinished ? "An interrupted pg_failback has to be completed there first."
                               : "The source must be the data directory of a PostgreSQL server.");
    }
    std::vector<unsigned char> bytes(PG_CONTROL_FILE_SIZE + 1); // one more shows a file that is too long
    bytes.resize(file.read(0, bytes));
    return parse_control_file(bytes, absolute(control_file_path));
}

void LocalSource::check_state() const
{
    const char *hint = "Start the server on it, let it recover, and stop it with \"pg_ctl stop -m fast\"; or use --source-server.";
    if (!control_.cleanly_shut_down())
        throw Error(ErrorCode::wrong_state, "source data directory must be shut down cleanly",
                    format("According to \"%s\" the server is %s.", absolute(control_file_path).c_str(), control_.state_name()), hint);
    // A standby that was stopped before it was consistent has no position to recover to.
    const ControlFileData &data = control_.data;
    if (data.state == DB_SHUTDOWNED_IN_RECOVERY &&
        (data.minRecoveryPoint == 0 || data.backupStartPoint != 0 || data.backupEndPoint != 0 || data.backupEndRequired))
        throw Error(ErrorCode::wrong_state, "source server was shut down before its recovery had reached a consistent state", "", hint);
}

SourceState LocalSource::state()
{
    check_unchanged();
    const ControlFileData &data = control_.data;
    SourceState state;
    state.control_file = control_.image;
    state.in_recovery = data.state == DB_SHUTDOWNED_IN_RECOVERY;
    state.timeline = control_.timeline();
    state.current = end_;
    state.history = history_text();
    state.full_page_writes = data.checkPointCopy.fullPageWrites;
    state.wal_level = wal_level_name(data.wal_level);
    state.log_directory = log_directory_;
    state.max_connections = data.MaxConnections;
    state.max_worker_processes = data.max_worker_processes;
    state.max_wal_senders = data.max_wal_senders;
    state.max_prepared_transactions = data.max_prepared_xacts;
    state.max_locks_per_transaction = data.max_locks_per_xact;
    return state;
}

std::string LocalSource::history_text() const
{
    TimelineId timeline = control_.timeline();
    if (timeline.value == 1)
        return {};
    std::string path = history_file_path(timeline);
    LocalChunkReader reader(directory_);
    auto content = read_whole_file(reader, path, max_history_bytes);
    if (!content)
        throw Error(ErrorCode::undefined_file, format("timeline history file \"%s\" does not exist", absolute(path).c_str()),
                    format("It belongs to the source's timeline %u.", timeline.value));
    return {content->begin(), content->end()};
}

void LocalSource::list_files(const std::function<void()> &begin, const std::function<void(FileEntry &&)> &report)
{
    begin();
    WalkOptions options;
    if (!log_directory_.empty())
        options.log_directories.push_back(log_directory_);
    options.tablespace_directory = format("PG_%s_%u", PG_MAJORVERSION, control_.data.catalog_version_no);
    DirectoryWalk walk(directory_->path(), options);
    std::vector<unsigned char> buffer(checksum_buffer_bytes);
    std::vector<std::string> unreadable;
    while (auto entry = walk.next()) {
        PathClass path_class = classify_path(entry->path);
        if (path_class == PathClass::control_file || path_class == PathClass::wal_segment)
            continue;
        bool tracked = path_class == PathClass::relation_main; // by WAL, block by block
        if (entry->kind == FileKind::regular && ::faccessat(AT_FDCWD, absolute(entry->path).c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES) {
            unreadable.emplace_back(io_error("open file", absolute(entry->path), EACCES).what());
            continue;
        }
        if (entry->kind == FileKind::regular && !tracked) {
            if (read_limiter() != nullptr)
                read_limiter()->received(entry->size);
            if (!add_checksum(*directory_, *entry, buffer))
                continue;
        }
        report(std::move(*entry));
    }
    // All of them at once, and before the target is changed, whether this run would need them or not.
    if (!unreadable.empty())
        throw Error(ErrorCode::io_error, "the source has files that cannot be read", problem_lines(unreadable),
                    "Mend their permissions, then run the command again.");
}

void LocalSource::hold_wal(Lsn from)
{
    const uint64_t size = control_.data.xlog_seg_size;
    TimelineHistory history = parse_timeline_history(history_text(), control_.timeline(), "timeline history of the source");
    for (uint64_t segment = from.value / size; segment * size < end_.value; segment++) {
        // Named after the last timeline that has any of it.
        uint64_t limit = std::min((segment + 1) * size, end_.value);
        auto entry = history.entries.rbegin();
        while (entry + 1 != history.entries.rend() && entry->begin.value >= limit)
            ++entry;
        std::string path = "pg_wal/" + wal_segment_name(entry->timeline, segment, control_.data.xlog_seg_size);
        if (!LocalFileReader(*directory_, path))
            throw Error(ErrorCode::wrong_state,
                        format("the source no longer has the WAL from %s on: \"%s\" does not exist", from.text().c_str(), absolute(path).c_str()));
    }
}

SourceState LocalSource::begin_backup()
{
    return state();
}

void LocalSource::check_unchanged() const
{
    bool started = find_running_server(directory_->path()).has_value();
    if (!started) {
        ControlFile now = read_control();
        started = now.image != control_.image;
    }
    if (started)
        throw Error(ErrorCode::wrong_state, "the source was started while it was being copied", "",
                    "The target is unchanged. Stop the source and run the command again, or use --source-server.");
}

RecoveryEnd LocalSource::recovery_end()
{
    check_unchanged();
    return {end_, control_.timeline(), control_.data.state == DB_SHUTDOWNED_IN_RECOVERY};
}

std::unique_ptr<ChunkReader> LocalSource::make_reader()
{
    return std::make_unique<LocalChunkReader>(directory_);
}

std::string LocalSource::describe() const
{
    return {};
}

} // namespace failback
