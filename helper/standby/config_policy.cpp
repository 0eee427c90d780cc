#include "helper/standby/config_policy.h"

#include "common/path_rules.h"

#include <algorithm>
#include <array>

namespace failback {

namespace {

// A server that has lost one of these does not start (pg_ident.conf and postgresql.auto.conf are not missed).
constexpr std::array<std::string_view, 2> needed_to_start = {"postgresql.conf", "pg_hba.conf"};

// These say what kind of server it is: a primary as the source must not make one of the target, nor a standby source a
// standby of its own primary. To pg_rewind they are files as any other. finish writes standby.signal where it is wanted (-R).
constexpr std::array<std::string_view, 2> signal_files = {"standby.signal", "recovery.signal"};

bool contains(const auto &list, std::string_view path)
{
    return std::find(list.begin(), list.end(), path) != list.end();
}

bool is_certificate(std::string_view path)
{
    return path.ends_with(".crt") || path.ends_with(".pem") || path.ends_with(".cer") || path.ends_with(".der");
}

// Files that each server keeps under both policies.
const char *own_file_reason(const ConfigFileFacts &facts)
{
    if (is_private_key(facts.path))
        return "private keys never leave their server";
    // Its key stays as well, and a certificate with another key keeps the server from starting.
    if (is_certificate(facts.path) && facts.on_target)
        return "a certificate belongs to its private key";
    return nullptr;
}

// Where the target's own configuration stays in force.
ConfigFileDecision keep_targets(const ConfigFileFacts &facts)
{
    using enum ConfigFileAction;
    if (contains(signal_files, facts.path))
        return {keep, "each server keeps its own signal files"};
    if (!facts.on_source)
        return {keep, "only the target has it"};
    if (facts.identical)
        return {keep, "both have the same"};
    if (!facts.on_target && contains(needed_to_start, facts.path) && !facts.target_configured_elsewhere)
        return {take_source, "the target has none and would not start without it"};
    // The name does not end in .conf, so that no include_dir (conf.d) reads it.
    return {write_beside, facts.on_target ? "the target's own stays in force" : "the target works without it"};
}

// Where the source's replaces it.
ConfigFileDecision take_sources(const ConfigFileFacts &facts)
{
    using enum ConfigFileAction;
    if (facts.on_source && facts.identical)
        return {keep, "both have the same"};
    if (facts.on_source)
        return {take_source, "the source's configuration was asked for"};
    // The source may have its configuration elsewhere.
    if (contains(needed_to_start, facts.path))
        return {keep, "the source has none and the server would not start without it"};
    return {remove, "the source does not have it"};
}

} // namespace

ConfigFileDecision decide_config_file(ConfigFiles policy, const ConfigFileFacts &facts)
{
    using enum ConfigFileAction;
    if (is_source_copy(facts.path))
        return facts.on_target ? ConfigFileDecision{remove, "it was made by an earlier failback"}
                               : ConfigFileDecision{keep, "the source's own leftovers stay there"};
    if (const char *reason = own_file_reason(facts)) {
        bool show = is_certificate(facts.path) && !is_private_key(facts.path) && facts.on_source && !facts.identical;
        return {show ? write_beside : keep, reason};
    }
    return policy == ConfigFiles::target ? keep_targets(facts) : take_sources(facts);
}

std::string source_copy_name(std::string_view path)
{
    return std::string(path) + ".source";
}

} // namespace failback
