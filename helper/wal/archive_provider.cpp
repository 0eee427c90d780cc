#include "helper/wal/archive_provider.h"

#include "common/path_text.h"
#include "helper/cancel.h"
#include "helper/cluster/child_process.h"
#include "helper/pg_frontend.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace failback {

namespace {

using Clock = std::chrono::steady_clock;
// Between attempts at a segment that should be there.
constexpr std::chrono::milliseconds failure_pauses[] = {std::chrono::milliseconds(100), std::chrono::milliseconds(500),
                                                        std::chrono::milliseconds(1500)};
constexpr auto first_pause = std::chrono::milliseconds(100);
constexpr auto longest_pause = std::chrono::seconds(5);
// For a segment that comes incomplete, where commands may take as long as they want.
constexpr auto default_patience = std::chrono::seconds(60);

// Does the file look like the segment that begins at the given place, complete? The records in it are checked by the reader.
bool complete_segment(const std::string &path, Lsn begin, uint32_t segment_size, std::string &why)
{
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        why = "the command succeeded but left no file";
        return false;
    }
    if (status.st_size != static_cast<off_t>(segment_size)) {
        why = format("it has %lld bytes, a segment of this cluster has %u", static_cast<long long>(status.st_size), segment_size);
        return false;
    }
    std::ifstream file(path, std::ios::binary);
    XLogPageHeaderData header = {};
    file.read(reinterpret_cast<char *>(&header), sizeof header);
    if (!file || header.xlp_magic != XLOG_PAGE_MAGIC) {
        why = format("it begins with magic number %04X, WAL of this version with %04X", header.xlp_magic, XLOG_PAGE_MAGIC);
        return false;
    }
    if (header.xlp_pageaddr != begin.value) {
        why = format("it begins with the page of %s, this segment with that of %s", Lsn{header.xlp_pageaddr}.text().c_str(),
                     begin.text().c_str());
        return false;
    }
    return true;
}

// What a command has printed, fit for a message.
std::string one_line(std::string text)
{
    while (text.ends_with('\n'))
        text.pop_back();
    std::string line;
    for (char c : text)
        line += c == '\n' ? std::string("; ") : std::string(1, c);
    return shown_path(line);
}

} // namespace

std::string expand_restore_command(const std::string &command, const std::string &file, const std::string &path)
{
    std::string expanded;
    for (size_t i = 0; i < command.size(); i++) {
        if (command[i] != '%' || i + 1 == command.size()) {
            expanded += command[i];
            continue;
        }
        switch (command[++i]) {
        case 'f':
        case 'r': // nothing older than what is asked for is going to be needed
            expanded += file;
            break;
        case 'p':
            expanded += path;
            break;
        case '%':
            expanded += '%';
            break;
        default: // as the server before 16: left as it is
            expanded += '%';
            expanded += command[i];
        }
    }
    return expanded;
}

ArchiveProvider::ArchiveProvider(ArchiveOptions options)
    : options_(std::move(options)), kept_(make_directory_provider(options_.directory, options_.segment_size))
{
}

ChildOutput ArchiveProvider::run_in_time(const std::string &name, const std::string &command) const
{
    auto deadline = Clock::now() + std::chrono::seconds(options_.time_limit_seconds);
    try {
        return ChildProcess({"/bin/sh", "-c", command}).finish(options_.time_limit_seconds, check_cancelled);
    } catch (const Error &error) {
        if (error.code() != ErrorCode::wrong_state || options_.time_limit_seconds == 0 || Clock::now() < deadline)
            throw;
        throw Error(ErrorCode::wrong_state,
                    format("restore_command for \"%s\" did not end within %d seconds", name.c_str(), options_.time_limit_seconds),
                    "The command was: " + command,
                    "See why it hangs, put the file into the target's pg_wal, or give it more time with --timeout.");
    }
}

int ArchiveProvider::run_command(const std::string &name, const std::string &destination)
{
    std::string command = expand_restore_command(options_.command, name, destination);
    pg_log_debug("executing \"%s\"", command.c_str());
    ChildOutput output = run_in_time(name, command);
    if (output.exit_status > 125)
        throw Error(ErrorCode::wrong_state,
                    format("restore_command for \"%s\" ended with status %d", name.c_str(), output.exit_status),
                    "The command was: " + command + (output.standard_error.empty() ? "" : "\n" + output.standard_error));
    trouble_.clear();
    if (output.exit_status != 0) {
        trouble_ = format("restore_command for \"%s\" ended with status %d", name.c_str(), output.exit_status);
        if (std::string said = one_line(output.standard_error); !said.empty())
            trouble_ += " and printed: " + said;
    }
    return output.exit_status;
}

bool ArchiveProvider::restore_file(const std::string &name, const std::string &destination)
{
    std::string temporary = options_.directory + "/" + name + ".restoring";
    ::unlink(temporary.c_str());
    if (run_command(name, temporary) != 0 || ::access(temporary.c_str(), F_OK) != 0)
        return false;
    if (::rename(temporary.c_str(), destination.c_str()) != 0)
        throw io_error("rename file to", destination, errno);
    return true;
}

// A command that has failed may have done so because there is no room; it does not say.
void ArchiveProvider::check_room(const std::string &name, const std::string &temporary) const
{
    struct statvfs space;
    if (::statvfs(options_.directory.c_str(), &space) != 0)
        return;
    struct stat partial;
    int64_t taken = ::stat(temporary.c_str(), &partial) == 0 ? int64_t{partial.st_blocks} * 512 : 0;
    int64_t free_bytes = static_cast<int64_t>(space.f_bavail) * static_cast<int64_t>(space.f_frsize);
    if (free_bytes + taken >= options_.segment_size)
        return;
    Error full = io_error("restore WAL segment to", options_.directory + "/" + name, ENOSPC);
    throw Error(full.code(), full.what(), "There is no room for it: the restore command failed, or left less than a segment.",
                "Make room there, then run the command again.");
}

bool ArchiveProvider::restore_segment(const std::string &name, Lsn begin)
{
    std::string temporary = options_.directory + "/" + name + ".restoring";
    const bool limited = options_.time_limit_seconds > 0;
    auto deadline = Clock::now() + std::chrono::seconds(options_.time_limit_seconds);
    std::chrono::milliseconds pause = first_pause;
    const bool should_be_there = begin < options_.written_to && patience_ > 0;
    const size_t repetitions = should_be_there ? std::size(failure_pauses) : 1;
    size_t failures = 0;
    std::string why;
    for (;;) {
        ::unlink(temporary.c_str());
        if (run_command(name, temporary) != 0) {
            check_room(name, temporary);
            if (failures == repetitions || (limited && Clock::now() + failure_pauses[failures] > deadline)) {
                patience_ -= should_be_there;
                return false;
            }
            pause_for(failure_pauses[failures++]);
            continue;
        }
        if (complete_segment(temporary, begin, options_.segment_size, why))
            break;
        check_room(name, temporary);
        if (!limited && pause == first_pause)
            deadline = Clock::now() + default_patience;
        if (Clock::now() + pause > deadline)
            throw Error(ErrorCode::data_corrupted, format("WAL segment \"%s\" from the archive is not complete", name.c_str()),
                        why, "Check the archive, and that what fills it makes files appear there whole, by renaming them.");
        pause_for(pause);
        pause = std::min<std::chrono::milliseconds>(pause * 2, longest_pause);
    }
    std::string path = options_.directory + "/" + name;
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        throw io_error("rename file to", path, errno);
    return true;
}

std::unique_ptr<WalSegment> ArchiveProvider::open(TimelineId timeline, uint64_t segno)
{
    std::string name = wal_segment_name(timeline, segno, options_.segment_size);
    if (missing_.contains(name))
        return nullptr;
    if (!restored_.contains(name)) {
        if (!restore_segment(name, Lsn{segno * options_.segment_size})) {
            missing_.insert(name);
            return nullptr;
        }
        restored_.insert(name);
    }
    std::unique_ptr<WalSegment> segment = kept_->open(timeline, segno);
    if (need_not_keep_ <= Lsn{segno * options_.segment_size}) {
        ::unlink((options_.directory + "/" + name).c_str());
        restored_.erase(name);
    }
    return segment;
}

void ArchiveProvider::need_not_keep(Lsn from)
{
    need_not_keep_ = from;
}

} // namespace failback
