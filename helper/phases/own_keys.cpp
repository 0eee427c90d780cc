#include "helper/phases/own_keys.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace failback {

namespace {

// Relative to the data directory, links resolved; empty if it is elsewhere or not there.
std::string path_inside(const std::filesystem::path &root, const std::string &name)
{
    std::error_code error;
    if (name.empty() || !std::filesystem::is_regular_file(root / name, error)) // as it is, if it is absolute
        return {};
    std::string relative = std::filesystem::canonical(root / name, error).lexically_relative(root).string();
    return error || relative.starts_with("..") ? std::string() : relative;
}

} // namespace

std::set<std::string> words_of(std::string_view text)
{
    std::set<std::string> words;
    std::string word;
    bool quoted = false;
    bool comment = false;
    for (char c : text) {
        bool ends_line = c == '\n' || c == '\r';
        if (ends_line || (!quoted && !comment && (c == ' ' || c == '\t' || c == ',' || c == '#'))) {
            words.insert(std::exchange(word, {}));
            quoted = false;
            comment = !ends_line && (comment || c == '#');
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!comment) {
            word += c;
        }
    }
    words.insert(word);
    words.erase("");
    return words;
}

std::set<std::string, std::less<>> own_keys(const std::string &data_directory, const std::string &ssl_key_file,
                                            const std::string &hosts_file)
{
    std::error_code error;
    std::filesystem::path root = std::filesystem::canonical(data_directory, error);
    std::set<std::string> names = {ssl_key_file};
    if (!hosts_file.empty()) {
        std::ifstream hosts(root / hosts_file); // as it is, if it is absolute
        names.merge(words_of(std::string(std::istreambuf_iterator<char>(hosts), {})));
    }
    std::set<std::string, std::less<>> keys;
    for (const std::string &name : names)
        keys.insert(path_inside(root, name));
    keys.erase("");
    return keys;
}

} // namespace failback
