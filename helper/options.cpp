#include "helper/options.h"

#include "common/error.h"

#include <charconv>
#include <cstring>
#include <getopt.h>
#include <unistd.h>

namespace failback {

namespace {

// Long options without a letter.
enum LongOnly : int {
    opt_source_pgdata = 256,
    opt_source_server,
    opt_config_file,
    opt_debug,
    opt_no_ensure_shutdown,
    opt_sync_method,
    opt_config_files,
    opt_restore_command,
    opt_compress,
    opt_report,
    opt_timeout,
    opt_mode,
    opt_max_rate,
    opt_slot,
    opt_create_slot,
    opt_tablespace_mapping,
    opt_help,
};

constexpr char letters[] = ":cD:nNPRVj:v"; // ":" in front: a missing value is told apart from an unknown option

constexpr option long_options[] = {
    {"restore-target-wal", no_argument, nullptr, 'c'},
    {"target-pgdata", required_argument, nullptr, 'D'},
    {"source-pgdata", required_argument, nullptr, opt_source_pgdata},
    {"source-server", required_argument, nullptr, opt_source_server},
    {"dry-run", no_argument, nullptr, 'n'},
    {"create-slot", no_argument, nullptr, opt_create_slot},
    {"max-rate", required_argument, nullptr, opt_max_rate},
    {"slot", required_argument, nullptr, opt_slot},
    {"mode", required_argument, nullptr, opt_mode},
    {"no-sync", no_argument, nullptr, 'N'},
    {"progress", no_argument, nullptr, 'P'},
    {"write-recovery-conf", no_argument, nullptr, 'R'},
    {"config-file", required_argument, nullptr, opt_config_file},
    {"debug", no_argument, nullptr, opt_debug},
    {"no-ensure-shutdown", no_argument, nullptr, opt_no_ensure_shutdown},
    {"sync-method", required_argument, nullptr, opt_sync_method},
    {"jobs", required_argument, nullptr, 'j'},
    {"verbose", no_argument, nullptr, 'v'},
    {"config-files", required_argument, nullptr, opt_config_files},
    {"restore-command", required_argument, nullptr, opt_restore_command},
    {"compress", required_argument, nullptr, opt_compress},
    {"report", required_argument, nullptr, opt_report},
    {"tablespace-mapping", required_argument, nullptr, opt_tablespace_mapping},
    {"timeout", required_argument, nullptr, opt_timeout},
    {"version", no_argument, nullptr, 'V'},
    {"help", no_argument, nullptr, opt_help},
    {nullptr, 0, nullptr, 0},
};

Error usage_error(const std::string &program, const std::string &message)
{
    return Error(ErrorCode::invalid_parameter, message, {}, format("Try \"%s --help\" for more information.", program.c_str()));
}

std::string base_name(const char *argv0)
{
    const char *slash = std::strrchr(argv0, '/');
    return slash == nullptr ? argv0 : slash + 1;
}

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

// OLD=NEW, with "\=" for an equals sign in a path, as pg_basebackup has it.
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

// As pg_basebackup: kilobytes a second, or with a suffix k or M.
int64_t parse_max_rate(std::string_view text)
{
    int64_t unit = 1024;
    std::string_view number = text;
    if (text.ends_with('M'))
        unit = 1024 * 1024;
    if (text.ends_with('M') || text.ends_with('k'))
        number.remove_suffix(1);
    constexpr int most = 1024 * 1024 * 1024; // of either unit
    return parse_number("--max-rate", number, 1, most) * unit;
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

// NAME or NAME:LEVEL
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

// What getopt_long() could not take. optopt is 0 for an unknown long option, the option's own value for a long one
// that was given a value it does not take, and otherwise the unknown letter.
Error unknown_option(const std::string &program, char *const argv[])
{
    if (optopt == 0 || optopt > 255 || std::strchr(letters, optopt) != nullptr)
        return usage_error(program, format("unrecognized option \"%s\"", argv[optind - 1]));
    return usage_error(program, format("invalid option -- \"%c\"", optopt));
}

Error missing_value(const std::string &program, char *const argv[])
{
    return usage_error(program, format("option \"%s\" requires an argument", argv[optind - 1]));
}

// pg_rewind's checks, in its order and words.
void check_combinations(const Options &options, int argc, char *const argv[])
{
    const std::string &program = options.program;
    if (options.source_pgdata.empty() && options.source_server.empty())
        throw usage_error(program, "no source specified (--source-pgdata or --source-server)");
    if (!options.source_pgdata.empty() && !options.source_server.empty())
        throw usage_error(program, "only one of --source-pgdata or --source-server can be specified");
    if (options.target_pgdata.empty())
        throw usage_error(program, "no target data directory specified (--target-pgdata)");
    if (options.write_recovery_conf && options.source_server.empty())
        throw usage_error(program, "no source server information (--source-server) specified for --write-recovery-conf");
    if (options.create_slot && options.slot.empty())
        throw usage_error(program, "--create-slot needs a name given with --slot");
    if (!options.slot.empty() && options.source_server.empty())
        throw usage_error(program, "--slot needs a running source (--source-server)");
    if (optind < argc)
        throw usage_error(program, format("too many command-line arguments (first is \"%s\")", argv[optind]));
}

} // namespace

Command parse_command_line(int argc, char *const argv[])
{
    Command command;
    Options &options = command.options;
    options.program = base_name(argc > 0 ? argv[0] : "pg_failback");
    // Scripts that call us by pg_rewind's name rely on what it does.
    if (options.program == "pg_rewind")
        options.config_files = ConfigFiles::source;

    // As the first argument these two win over anything that follows; "-?" is an option only there.
    if (argc > 1 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-?") == 0)) {
        command.action = CommandAction::show_help;
        return command;
    }
    if (argc > 1 && (std::strcmp(argv[1], "--version") == 0 || std::strcmp(argv[1], "-V") == 0)) {
        command.action = CommandAction::show_version;
        return command;
    }

    optind = 0; // makes getopt start afresh
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, letters, long_options, nullptr);
        if (letter == -1)
            break;
        switch (letter) {
        case 'c': options.restore_target_wal = true; break;
        case 'D': options.target_pgdata = without_trailing_slashes(optarg); break;
        case 'n': options.dry_run = true; break;
        case 'N': options.no_sync = true; break;
        case 'P': options.progress = true; break;
        case 'R': options.write_recovery_conf = true; break;
        case 'v':
        case opt_debug: options.debug = true; break;
        case 'j': options.jobs = parse_number("-j/--jobs", optarg, 1, 64); break;
        case opt_source_pgdata: options.source_pgdata = without_trailing_slashes(optarg); break;
        case opt_source_server: options.source_server = optarg; break;
        case opt_config_file: options.config_file = optarg; break;
        case opt_no_ensure_shutdown: options.no_ensure_shutdown = true; break;
        case opt_sync_method: options.sync_method = parse_sync_method(optarg); break;
        case opt_config_files: options.config_files = parse_config_files(optarg); break;
        case opt_restore_command:
            options.restore_command = optarg;
            options.restore_target_wal = true;
            break;
        case opt_tablespace_mapping: options.tablespace_mapping.push_back(parse_tablespace_mapping(optarg)); break;
        case opt_max_rate: options.max_rate = parse_max_rate(optarg); break;
        case opt_slot: options.slot = optarg; break;
        case opt_create_slot: options.create_slot = true; break;
        case opt_mode: options.mode = parse_mode(optarg); break;
        case opt_compress: parse_compression(optarg, options); break;
        case opt_report: options.report = optarg; break;
        case opt_timeout: options.timeout_seconds = parse_number("--timeout", optarg, 0, 86400); break;
        case opt_help: command.action = CommandAction::show_help; return command;
        case 'V': command.action = CommandAction::show_version; return command;
        case ':': throw missing_value(options.program, argv);
        default: throw unknown_option(options.program, argv);
        }
    }
    check_combinations(options, argc, argv);
    return command;
}

void refuse_root(const std::string &program)
{
    if (geteuid() == 0)
        throw Error(ErrorCode::access_denied, "cannot be executed by \"root\"", {},
                    format("You must run %s as the PostgreSQL superuser.", program.c_str()));
}

} // namespace failback
