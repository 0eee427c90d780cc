// The values that options take, from their text. All throw Error(invalid_parameter) naming the option.
#pragma once

#include "helper/options.h"

#include <string>
#include <string_view>
#include <utility>

namespace failback {

int parse_number(const char *option_name, std::string_view text, int low, int high);

// As pg_basebackup's: kilobytes a second, or with a suffix k or M. Returns bytes a second.
int64_t parse_rate(const char *option_name, std::string_view text);

SyncMethod parse_sync_method(std::string_view text);
ConfigFiles parse_config_files(std::string_view text);
Mode parse_mode(std::string_view text);

// An algorithm of pg_basebackup's option of that name, in any case; returns it as manifests have it.
std::string parse_manifest_checksums(std::string_view text);

// NAME or NAME:LEVEL
void parse_compression(std::string_view text, Options &options);

// OLD=NEW, with "\=" for an equals sign in a path, as pg_basebackup has it. Absolute paths.
std::pair<std::string, std::string> parse_tablespace_mapping(std::string_view text);

std::string without_trailing_slashes(std::string path);

} // namespace failback
