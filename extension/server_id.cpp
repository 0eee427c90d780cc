// pg_failback_server_id(): which server this is, of several that may stand behind one name.

#include "common/checksum.h"
#include "extension/row_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace failback {

namespace {

// A file that initdb or the base backup has written, and nobody again.
constexpr const char *old_file = "PG_VERSION";

// Of a clone of the whole machine the name may be the same, and all of the file; not what each start of a kernel makes.
// Empty where that is not shown.
std::string boot_id()
{
    std::string id;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
    return id;
}

Datum server_id(FunctionCallInfo)
{
    struct statx file = {};
    if (::statx(AT_FDCWD, old_file, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_CTIME | STATX_BTIME, &file) != 0)
        throw io_error("stat", old_file, errno);
    // Without a time of birth the next best: every copy has another one too, but so has a file whose owner is set again.
    const struct statx_timestamp &made = (file.stx_mask & STATX_BTIME) != 0 ? file.stx_btime : file.stx_ctime;
    char host[256] = {};
    ::gethostname(host, sizeof(host) - 1);

    const std::string all = format("%s %s %u:%u %llu %lld.%09u", host, boot_id().c_str(), file.stx_dev_major, file.stx_dev_minor,
                                   static_cast<unsigned long long>(file.stx_ino), static_cast<long long>(made.tv_sec), made.tv_nsec);
    const std::string id =
        default_checksum_algorithm().compute({reinterpret_cast<const unsigned char *>(all.data()), all.size()}).hex();
    return pg_call([&] { return text_datum(id); });
}

} // namespace

} // namespace failback

extern "C" {
PG_FUNCTION_INFO_V1(pg_failback_server_id);
Datum pg_failback_server_id(PG_FUNCTION_ARGS)
{
    return failback::guarded<failback::server_id>(fcinfo);
}
}
