// The command line, as values. pg_rewind's names, short letters and messages, plus our own options.
#pragma once

#include "common/payload_compression.h"
#include "helper/standby/config_policy.h"

#include <string>
#include <utility>
#include <vector>

namespace failback {

// Of the helper and of the extension it works with (pg_failback.control's default_version).
inline constexpr const char *failback_version = "1.0";

enum class SyncMethod { fsync, syncfs };

// How the blocks that differ are found.
enum class Mode {
    automatic, // from the target's WAL where it can be trusted, else as compare
    wal,       // from the target's WAL, or not at all
    compare,   // by checksums of both sides
};

// What is to be done. All but the first are named by the first argument that is no option.
enum class Command {
    failback,
    diff,   // compare and report, change nothing
    verify, // check what a failback has left, change nothing
};

struct Options {
    Command command = Command::failback;
    std::string program;            // basename of argv[0], for messages
    std::string target_pgdata;      // -D; never empty, no trailing '/' (as given otherwise)
    std::string source_pgdata;      // not empty: this is the source; empty: a server is
    std::string source_server;      // libpq connection string; may be empty: the environment says it all
    std::string config_file;        // --config-file; empty: find it (see target_settings.h)
    bool restore_target_wal = false;  // -c, or --restore-command
    std::string restore_command;      // --restore-command; empty with restore_target_wal: the target's setting
    bool dry_run = false;             // -n
    bool no_sync = false;             // -N
    SyncMethod sync_method = SyncMethod::fsync;
    bool progress = false;            // -P
    bool write_recovery_conf = false; // -R; the source is a server then
    bool debug = false;               // --debug, -v: the caller raises the log level
    bool no_ensure_shutdown = false;  // accepted: this program never starts a server on the target
    Mode mode = Mode::automatic;
    int64_t max_rate = 0;             // --max-rate, bytes a second; 0: no limit
    int64_t max_rate_read = 0;        // --max-rate-read, bytes a second that the source reads to compare; 0: no limit
    bool explain_mode = false;        // --explain-mode: say what each way would move
    std::string slot;                 // --slot: physical slot on the source that the standby will use
    bool create_slot = false;         // --create-slot
    // --tablespace-mapping: where on this machine a tablespace goes that the source has at `first`. Absolute paths.
    std::vector<std::pair<std::string, std::string>> tablespace_mapping;
    int jobs = 2;                     // -j: connections that fetch, 1 to 64
    ConfigFiles config_files = ConfigFiles::target; // default source when invoked as pg_rewind
    CompressionId compression = CompressionId::lz4;
    int compression_level = 0;        // within the algorithm's range; its default if not given; 0 for none
    std::string report;               // --report: file for the JSON report, "-" for stdout, empty for none
    bool verify = false;              // --verify: read back what was written, and check data pages
    std::string manifest_checksums;   // --manifest-checksums: algorithm of the backup_manifest to write; empty: none
    int timeout_seconds = 60;         // a source silent for so long is given up; 0: wait for ever
};

enum class CommandAction { run, show_help, show_version };

struct CommandLine {
    CommandAction action = CommandAction::run;
    Options options; // complete only for run; `program` is always set, and `command` where it comes first
};

// Takes argv apart. Throws Error(invalid_parameter) with the message to log and, where PostgreSQL's programs
// print it, the hint 'Try "pg_failback --help" for more information.'; the caller exits with 1. Not thread-safe (getopt).
CommandLine parse_command_line(int argc, char *const argv[]);

// Text for stdout, ending with a newline.
std::string help_text(const std::string &program, Command command = Command::failback);
std::string version_text(const std::string &program);

// Throws Error(access_denied) when running as root: files made then could not be read by the server.
void refuse_root(const std::string &program);

} // namespace failback
