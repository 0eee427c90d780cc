// -R: the content of postgresql.auto.conf that makes the target a standby of the source. Nothing is written here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

struct pg_conn; // libpq's PGconn

namespace failback {

inline constexpr const char *recovery_config_path = "postgresql.auto.conf";
inline constexpr const char *standby_signal_path = "standby.signal"; // an empty file

struct RecoverySettings {
    // Lines "primary_conninfo = '...'" (and primary_slot_name), each ending with a newline.
    std::string connection_lines;
    std::string restore_command; // not empty: set it
};

struct ConnectionSetting {
    std::string keyword; // libpq's
    std::string value;
};

// What to write for a standby that follows the server at the other end of `connection`: the settings of this connection,
// with a password if one was given, as pg_basebackup -R does. `given` is the connection string from the command line:
// the time limits (connect_timeout, keepalives, tcp_user_timeout) that this program adds are written only if they stand in
// it, and so is dbname, which servers from 17 on use to synchronize slots. slot may be empty. Throws Error(internal) out
// of memory.
std::string connection_lines(pg_conn *connection, const std::string &slot, const std::string &given = {});

// "host=new user='a b'": a connection string.
std::string connection_string(const std::vector<ConnectionSetting> &settings);

// `current` (content of the file; may be empty) without the lines that set what `settings` sets, followed by these.
// primary_slot_name goes with primary_conninfo: a slot is of one server. Everything else, comments too, stays as it was.
std::string recovery_config(std::string_view current, const RecoverySettings &settings);

// Whether `config` sets primary_slot_name, which recovery_config() takes out.
bool names_slot(std::string_view config);

// 'it''s \\ so': a value quoted for a configuration file.
std::string quote_setting(std::string_view value);

} // namespace failback
