#include "helper/target/backup_manifest.h"

#include "common/directory_walk.h"
#include "common/error.h"
#include "helper/cluster/control_file.h"
#include "helper/pg_compat.h"
#include "helper/target/parallel.h"
#include "helper/target/staging.h"

#include <algorithm>
#include <ctime>
#include <fcntl.h>

extern "C" {
#include "common/checksum_helper.h"
}

namespace failback {

namespace {

constexpr size_t digest_buffer_bytes = 256 * 1024;

std::string hex(std::span<const unsigned char> bytes)
{
    std::string text;
    for (unsigned char byte : bytes)
        text += format("%02x", byte);
    return text;
}

// One of PostgreSQL's own algorithms.
class FileChecksum {
public:
    explicit FileChecksum(pg_checksum_type type)
    {
        if (pg_checksum_init(&context_, type) < 0)
            throw Error(ErrorCode::internal, format("could not start a %s checksum", pg_checksum_type_name(type)));
    }
    void update(std::span<const unsigned char> bytes)
    {
        if (pg_checksum_update(&context_, bytes.data(), bytes.size()) < 0)
            throw Error(ErrorCode::internal, "could not compute a checksum");
    }
    std::string finish()
    {
        unsigned char digest[PG_CHECKSUM_MAX_LENGTH];
        int length = pg_checksum_final(&context_, digest);
        if (length < 0)
            throw Error(ErrorCode::internal, "could not compute a checksum");
        return hex(std::span(digest).first(static_cast<size_t>(length)));
    }

private:
    pg_checksum_context context_{};
};

bool is_listed(const FileEntry &entry)
{
    // pg_wal is told by ranges; what is ours and goes before the end is not part of the result.
    return entry.kind == FileKind::regular && !entry.path.starts_with("pg_wal/") && entry.path != backup_manifest_path &&
           entry.path != note_path && entry.path.find(staging_name) == std::string::npos && entry.path != control_file_path &&
           entry.path != temporary_name(backup_manifest_path);
}

// A path that is not UTF-8 goes by its bytes.
bool is_plain(std::string_view path)
{
    return std::all_of(path.begin(), path.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

std::string path_field(const std::string &path)
{
    if (is_plain(path))
        return format("\"Path\": \"%s\"", path.c_str());
    return "\"Encoded-Path\": \"" + hex({reinterpret_cast<const unsigned char *>(path.data()), path.size()}) + "\"";
}

class ManifestWriter {
public:
    ManifestWriter(const TargetDirectory &target, std::span<const unsigned char> control_file, const BackupManifestOptions &options)
        : target_(target), control_file_(control_file), options_(options)
    {
        std::string name = options.checksums;
        if (!pg_checksum_parse_type(name.data(), &type_))
            throw Error(ErrorCode::invalid_parameter, format("unrecognized checksum algorithm: \"%s\"", name.c_str()));
    }

    std::string text()
    {
        list_files();
        std::vector<std::string> lines(entries_.size());
        run_parallel(options_.threads, entries_.size(), [&](size_t i) { lines[i] = file_line(entries_[i]); });
        std::string text = format("{ \"PostgreSQL-Backup-Manifest-Version\": %d,\n", backup_manifest_version);
        if (backup_manifest_version >= 2)
            text += format("\"System-Identifier\": %llu,\n", static_cast<unsigned long long>(options_.system_identifier));
        text += "\"Files\": [";
        for (size_t i = 0; i < lines.size(); i++)
            text += (i > 0 ? ",\n" : "\n") + lines[i];
        text += "\n],\n\"WAL-Ranges\": [";
        for (size_t i = 0; i < options_.wal.size(); i++)
            text += std::string(i > 0 ? ",\n" : "\n") +
                    format("{ \"Timeline\": %u, \"Start-LSN\": \"%s\", \"End-LSN\": \"%s\" }", options_.wal[i].timeline.value,
                           options_.wal[i].start.text().c_str(), options_.wal[i].end.text().c_str());
        text += "\n],\n";
        FileChecksum whole(CHECKSUM_TYPE_SHA256);
        whole.update({reinterpret_cast<const unsigned char *>(text.data()), text.size()});
        return text + "\"Manifest-Checksum\": \"" + whole.finish() + "\"}\n";
    }

private:
    void list_files()
    {
        WalkOptions options;
        options.only_copied = false;
        DirectoryWalk walk(target_.path(), options);
        while (auto entry = walk.next())
            if (is_listed(*entry))
                entries_.push_back(std::move(*entry));
        FileEntry control;
        control.path = control_file_path;
        control.size = static_cast<int64_t>(control_file_.size());
        control.mtime = int64_t{std::time(nullptr)} * 1'000'000;
        entries_.push_back(std::move(control));
    }

    std::string file_line(FileEntry &entry)
    {
        std::string checksum = type_ == CHECKSUM_TYPE_NONE ? "" : checksum_of(entry);
        std::time_t seconds = static_cast<std::time_t>(entry.mtime / 1'000'000);
        struct tm calendar;
        ::gmtime_r(&seconds, &calendar);
        char modified[64];
        std::strftime(modified, sizeof modified, "%Y-%m-%d %H:%M:%S GMT", &calendar);
        std::string line = "{ " + path_field(entry.path) +
                           format(", \"Size\": %lld, \"Last-Modified\": \"%s\"", static_cast<long long>(entry.size), modified);
        if (!checksum.empty())
            line += format(", \"Checksum-Algorithm\": \"%s\", \"Checksum\": \"", pg_checksum_type_name(type_)) + checksum + "\"";
        return line + " }";
    }

    std::string checksum_of(FileEntry &entry)
    {
        FileChecksum sum(type_);
        if (entry.path == control_file_path) {
            sum.update(control_file_);
            return sum.finish();
        }
        FileDescriptor fd = target_.open_read(entry.path);
        ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
        thread_local std::vector<unsigned char> buffer(digest_buffer_bytes);
        int64_t position = 0;
        while (size_t got = read_at(fd.get(), buffer, position, target_.absolute(entry.path))) {
            sum.update(std::span(buffer).first(got));
            position += static_cast<int64_t>(got);
            if (options_.progress)
                options_.progress(static_cast<int64_t>(got));
        }
        entry.size = position;
        return sum.finish();
    }

    const TargetDirectory &target_;
    std::span<const unsigned char> control_file_;
    const BackupManifestOptions &options_;
    pg_checksum_type type_ = CHECKSUM_TYPE_NONE;
    std::vector<FileEntry> entries_;
};

} // namespace

void write_backup_manifest(const TargetDirectory &target, std::span<const unsigned char> control_file,
                           const BackupManifestOptions &options, bool sync)
{
    std::string text = ManifestWriter(target, control_file, options).text();
    target.write_file(backup_manifest_path, {reinterpret_cast<const unsigned char *>(text.data()), text.size()}, sync);
}

} // namespace failback
