#include "helper/option_values.h"

#include "common/error.h"

#include <charconv>

namespace failback {

int parse_number(const char *option_name, std::string_view text, int low, int high)
{
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::invalid_argument || end != text.data() + text.size())
        throw Error(ErrorCode::invalid_parameter,
                    format("invalid value \"%s\" for option %s", std::string(text).c_str(), option_name));
    if (error == std::errc::result_out_of_range || value < low || value > high)
        throw Error(ErrorCode::invalid_parameter, format("%s must be in range %d..%d", option_name, low, high));
    return value;
}

SyncMethod parse_sync_method(std::string_view text)
{
    if (text == "fsync")
        return SyncMethod::fsync;
    if (text == "syncfs")
        return SyncMethod::syncfs;
    throw Error(ErrorCode::invalid_parameter, format("unrecognized sync method: %s", std::string(text).c_str()), {},
                "It is one of fsync and syncfs.");
}

ConfigFiles parse_config_files(std::string_view text)
{
    if (text == "target")
        return ConfigFiles::target;
    if (text == "source")
        return ConfigFiles::source;
    throw Error(ErrorCode::invalid_parameter,
                format("invalid value \"%s\" for option --config-files", std::string(text).c_str()), {},
                "It is one of target and source.");
}

std::string without_trailing_slashes(std::string path)
{
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

std::pair<std::string, std::string> parse_tablespace_mapping(std::string_view text)
{
    std::string parts[2];
    int part = 0;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '=') {
            parts[part] += '=';
            i++;
        } else if (text[i] == '=' && part == 0) {
            part = 1;
        } else if (text[i] == '=') {
            throw Error(ErrorCode::invalid_parameter, "multiple \"=\" signs in tablespace mapping");
        } else {
            parts[part] += text[i];
        }
    }
    for (std::string &path : parts)
        path = without_trailing_slashes(std::move(path));
    if (parts[0].empty() || parts[1].empty())
        throw Error(ErrorCode::invalid_parameter,
                    format("invalid tablespace mapping format \"%s\", must be \"OLDDIR=NEWDIR\"", std::string(text).c_str()));
    for (const std::string &path : parts)
        if (!path.starts_with('/'))
            throw Error(ErrorCode::invalid_parameter,
                        format("directory is not an absolute path in tablespace mapping: %s", path.c_str()));
    return {parts[0], parts[1]};
}

int64_t parse_rate(const char *option_name, std::string_view text)
{
    int64_t unit = 1024;
    std::string_view number = text;
    if (text.ends_with('M'))
        unit = 1024 * 1024;
    if (text.ends_with('M') || text.ends_with('k'))
        number.remove_suffix(1);
    constexpr int most = 1024 * 1024 * 1024; // of either unit
    return parse_number(option_name, number, 1, most) * unit;
}

Mode parse_mode(std::string_view text)
{
    if (text == "auto")
        return Mode::automatic;
    if (text == "wal")
        return Mode::wal;
    if (text == "compare")
        return Mode::compare;
    throw Error(ErrorCode::invalid_parameter,
                format("invalid value \"%s\" for option --mode", std::string(text).c_str()), {},
                "It is one of auto, wal and compare.");
}

std::string parse_manifest_checksums(std::string_view text)
{
    std::string name;
    for (char c : text)
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    for (const char *known : {"NONE", "CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"})
        if (name == known)
            return name;
    throw Error(ErrorCode::invalid_parameter, format("unrecognized checksum algorithm: \"%s\"", std::string(text).c_str()), {},
                "It is one of NONE, CRC32C, SHA224, SHA256, SHA384 and SHA512.");
}

void parse_compression(std::string_view text, Options &options)
{
    size_t colon = text.find(':');
    const CompressionAlgorithm &algorithm = find_compression(text.substr(0, colon));
    options.compression = algorithm.id;
    options.compression_level = algorithm.default_level;
    if (colon == text.npos)
        return;
    if (algorithm.id == CompressionId::none)
        throw Error(ErrorCode::invalid_parameter, "compression \"none\" does not have a level");
    options.compression_level = parse_number("--compress level", text.substr(colon + 1), algorithm.min_level, algorithm.max_level);
}

} // namespace failback
