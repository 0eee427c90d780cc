// Paths as the source lists them (common/path_rules.h; common/ is built into the extension too and has no fuzzers).
#include "common/path_rules.h"
#include "common/path_text.h"

#include "helper/fuzz.h"

namespace failback {
namespace {

// A path, a zero byte, and a second one.
void fuzz(std::span<const unsigned char> bytes)
{
    std::string both(bytes.begin(), bytes.end());
    size_t split = std::min(both.find('\0'), both.size());
    std::string path = both.substr(0, split), other = both.substr(std::min(split + 1, both.size()));
    bool safe = test::accepts([&] { check_relative_path(path); });
    if (safe) {
        test::fuzz_expect(!path.empty() && path.size() <= max_path_length && path[0] != '/', "a safe path is relative");
        std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
        test::fuzz_expect(normal == path, "a safe path has no parts that lead elsewhere");
    }
    PathClass kind = classify_path(path);
    bool relation = parse_relation_path(path).has_value();
    test::fuzz_expect(!safe || relation == (kind == PathClass::relation_main || kind == PathClass::relation_fork),
                      "a relation's path can be taken apart");
    is_configuration(path);
    is_source_copy(path);
    is_private_key(path);
    is_emptied_directory(path);
    is_cluster_directory(path);
    if (auto directory = log_directory_inside(path, "/data/" + other))
        test::fuzz_expect(std::filesystem::path(*directory).lexically_normal() == *directory && directory->front() != '/',
                          "a log directory lies inside");
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(PathRulesFuzz, failback::fuzz)
