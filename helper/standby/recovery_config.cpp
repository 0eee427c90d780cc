#include "helper/standby/recovery_config.h"

#include "common/error.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <libpq-fe.h>
#include <memory>
#include <set>

namespace failback {

namespace {

// The name a line sets, in lower case; empty for blank lines and comments. "name = value" and "name value" are both right.
std::string setting_name(std::string_view line)
{
    size_t start = line.find_first_not_of(" \t");
    if (start == line.npos)
        return {};
    line.remove_prefix(start);
    std::string name(line.substr(0, line.find_first_of(" \t=#\r")));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
}

using ConninfoOptions = std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption *)>;

// Keywords set in a connection string.
std::set<std::string, std::less<>> keywords_in(const std::string &conninfo)
{
    // One word alone is a database's name.
    if (conninfo.find('=') == conninfo.npos && conninfo.find("://") == conninfo.npos)
        return {"dbname"};
    std::set<std::string, std::less<>> keywords;
    ConninfoOptions options(PQconninfoParse(conninfo.c_str(), nullptr), PQconninfoFree);
    for (const PQconninfoOption *option = options.get(); option != nullptr && option->keyword != nullptr; option++)
        if (option->val != nullptr)
            keywords.insert(option->keyword);
    return keywords;
}

// Of this program's connection, not of the standby's, unless the user set them.
bool only_if_given(std::string_view keyword)
{
    return keyword == "dbname" || keyword == "connect_timeout" || keyword == "tcp_user_timeout" || keyword.starts_with("keepalives");
}

// The server sets these itself.
bool never_written(std::string_view keyword)
{
    return keyword == "replication" || keyword == "fallback_application_name";
}

bool is_plain(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

} // namespace

std::string connection_string(const std::vector<ConnectionSetting> &settings)
{
    std::string text;
    for (const ConnectionSetting &setting : settings) {
        text += (text.empty() ? "" : " ") + setting.keyword + "=";
        if (!setting.value.empty() && std::all_of(setting.value.begin(), setting.value.end(), is_plain)) {
            text += setting.value;
            continue;
        }
        text += '\'';
        for (char c : setting.value) {
            if (c == '\'' || c == '\\')
                text += '\\';
            text += c;
        }
        text += '\'';
    }
    return text;
}

std::string connection_lines(pg_conn *connection, const std::string &slot, const std::string &given)
{
    ConninfoOptions options(PQconninfo(connection), PQconninfoFree);
    if (!options)
        throw Error(ErrorCode::internal, "out of memory");
    auto keywords = keywords_in(given);
    std::vector<ConnectionSetting> settings;
    for (const PQconninfoOption *option = options.get(); option->keyword != nullptr; option++) {
        if (option->val == nullptr || option->val[0] == '\0' || never_written(option->keyword))
            continue;
        if (!only_if_given(option->keyword) || keywords.contains(option->keyword))
            settings.push_back({option->keyword, option->val});
    }
    std::string lines = "primary_conninfo = " + quote_setting(connection_string(settings)) + "\n";
    if (!slot.empty())
        lines += "primary_slot_name = " + quote_setting(slot) + "\n";
    return lines;
}

std::string recovery_config(std::string_view current, const RecoverySettings &settings)
{
    std::vector<std::string_view> replaced;
    if (!settings.connection_lines.empty())
        replaced = {"primary_conninfo", "primary_slot_name"};
    if (!settings.restore_command.empty())
        replaced.push_back("restore_command");

    std::string result;
    while (!current.empty()) {
        size_t newline = current.find('\n');
        std::string_view line = current.substr(0, newline);
        current.remove_prefix(newline == current.npos ? current.size() : newline + 1);
        if (std::find(replaced.begin(), replaced.end(), setting_name(line)) != replaced.end())
            continue;
        result.append(line);
        result += '\n';
    }
    result += settings.connection_lines;
    if (!settings.restore_command.empty())
        result += "restore_command = " + quote_setting(settings.restore_command) + "\n";
    return result;
}

bool names_slot(std::string_view config)
{
    while (!config.empty()) {
        std::string_view line = config.substr(0, config.find('\n'));
        if (setting_name(line) == "primary_slot_name")
            return true;
        config.remove_prefix(std::min(line.size() + 1, config.size()));
    }
    return false;
}

std::string quote_setting(std::string_view value)
{
    std::string quoted = "'";
    for (char c : value) {
        if (c == '\n') {
            quoted += "\\n"; // a value ends at the end of its line
            continue;
        }
        if (c == '\'' || c == '\\')
            quoted += c;
        quoted += c;
    }
    return quoted + "'";
}

} // namespace failback
