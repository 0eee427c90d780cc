// Small text files that a server leaves in its data directory: postmaster.pid and postmaster.opts.
#include "helper/cluster/running_server.h"
#include "helper/cluster/target_settings.h"
#include "helper/fuzz.h"

namespace failback {
namespace {

void fuzz(std::span<const unsigned char> bytes)
{
    std::string text(bytes.begin(), bytes.end());
    test::accepts([&] {
        PostmasterPid file = parse_postmaster_pid(text, "postmaster.pid");
        test::fuzz_expect(file.pid > 0, "a process ID is positive");
    });
    config_file_from_postmaster_opts(text, "/data");
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(ServerFilesFuzz, failback::fuzz)
