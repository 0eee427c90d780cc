#include "helper/report/report_file.h"

#include "common/error.h"
#include "helper/pg_frontend.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

// A reader sees the whole report or the one before.
std::string temporary_name(const std::string &path)
{
    return format("%s.%ld.tmp", path.c_str(), static_cast<long>(::getpid()));
}

// A pipe or a device is written to, not replaced.
bool is_special(const std::string &path)
{
    struct stat existing;
    return path == "-" || (stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode));
}

// Where others may make names too, one that is there may be a link to a file that is not to be written.
std::FILE *create(const std::string &path)
{
    unlink(path.c_str());
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    std::FILE *file = fd < 0 ? nullptr : ::fdopen(fd, "w");
    if (file == nullptr)
        throw io_error("create file", path, errno);
    return file;
}

} // namespace

void check_report(const std::string &path)
{
    struct stat existing;
    if (stat(path.c_str(), &existing) == 0 && S_ISDIR(existing.st_mode))
        throw io_error("write file", path, EISDIR);
    if (path.empty() || is_special(path))
        return;
    std::string temporary = temporary_name(path);
    std::fclose(create(temporary));
    unlink(temporary.c_str());
}

void write_report(const std::string &path, const std::string &text)
{
    if (path == "-") {
        if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
            throw io_error("write", "standard output", errno);
        return;
    }
    const bool special = is_special(path);
    std::string written_path = special ? path : temporary_name(path);
    std::FILE *file = special ? std::fopen(path.c_str(), "we") : create(written_path);
    if (file == nullptr)
        throw io_error("open file", path, errno);
    int failure = 0;
    if (std::fwrite(text.data(), 1, text.size(), file) != text.size())
        failure = errno;
    if (std::fclose(file) != 0 && failure == 0)
        failure = errno;
    if (failure == 0 && !special && std::rename(written_path.c_str(), path.c_str()) != 0)
        failure = errno;
    if (failure == 0)
        return;
    if (!special)
        unlink(written_path.c_str());
    throw io_error("write file", path, failure);
}

void write_failure_report(const std::string &path, const std::string &text) noexcept
{
    if (path.empty())
        return;
    try {
        write_report(path, text);
    } catch (const std::exception &error) {
        pg_log_warning("%s", error.what());
    }
}

} // namespace failback
