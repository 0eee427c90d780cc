// The target's private keys, which stay as they are whatever the policy for configuration says.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace failback {

// Relative paths of what the settings name inside of the data directory, links resolved: ssl_key_file itself, and what is named in
// hosts_file (from 19 on: a key for each host name; else empty). Certificates are among that: they belong to this host too.
std::set<std::string, std::less<>> own_keys(const std::string &data_directory, const std::string &ssl_key_file,
                                            const std::string &hosts_file);

// The words of a file in the format of pg_hba.conf: separated by space or commas, in double quotes or not, up to a "#". Pure.
std::set<std::string> words_of(std::string_view text);

} // namespace failback
