// The target's postgresql.auto.conf, and values that come into it from a connection string.
#include "helper/standby/recovery_config.h"

#include "helper/fuzz.h"

namespace failback {
namespace {

// A file's content, a zero byte, and a value.
void fuzz(std::span<const unsigned char> bytes)
{
    std::string both(bytes.begin(), bytes.end());
    size_t split = std::min(both.find('\0'), both.size());
    std::string current = both.substr(0, split), value = both.substr(std::min(split + 1, both.size()));
    std::string quoted = quote_setting(value);
    test::fuzz_expect(quoted.find('\n') == std::string::npos, "a quoted value stays on its line");
    test::fuzz_expect(quoted.size() >= 2 && quoted.front() == '\'' && quoted.back() == '\'', "a value is in quotes");
    RecoverySettings settings{"primary_conninfo = " + quoted + "\n", value};
    std::string once = recovery_config(current, settings);
    test::fuzz_expect(once.ends_with("\n"), "the last line is whole");
    test::fuzz_expect(recovery_config(once, settings) == once, "a second time changes nothing");
    connection_string({{"application_name", value}, {"host", current}});
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(RecoveryConfigFuzz, failback::fuzz)
