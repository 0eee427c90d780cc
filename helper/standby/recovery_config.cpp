#include "helper/standby/recovery_config.h"

#include "common/error.h"
#include "helper/pg_compat.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <vector>

extern "C" {
#include "libpq-fe.h"

#include "fe_utils/recovery_gen.h"
}

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

// 17 gave the function a third argument, the database for slot synchronisation: none.
template <bool takes_dbname>
PQExpBuffer generate(auto function, PGconn *connection, char *slot)
{
    if constexpr (takes_dbname)
        return function(connection, slot, nullptr);
    else
        return function(connection, slot);
}

} // namespace

std::string connection_lines(pg_conn *connection, const std::string &slot)
{
    std::string slot_copy = slot; // 15 takes a writable string
    std::unique_ptr<PQExpBufferData, void (*)(PQExpBuffer)> contents(
        generate<recovery_config_takes_dbname>(GenerateRecoveryConfig, connection, slot.empty() ? nullptr : slot_copy.data()),
        destroyPQExpBuffer);
    if (!contents || PQExpBufferBroken(contents.get()))
        throw Error(ErrorCode::internal, "out of memory");
    return std::string(contents->data, contents->len);
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
