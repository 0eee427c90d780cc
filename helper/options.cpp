#include "helper/options.h"

#include "common/error.h"
#include "helper/option_checks.h"
#include "helper/option_values.h"

#include <algorithm>
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
    opt_verify,
    opt_manifest_checksums,
    opt_timeout,
    opt_mode,
    opt_max_rate,
    opt_max_rate_read,
    opt_explain_mode,
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
    {"max-rate-read", required_argument, nullptr, opt_max_rate_read},
    {"explain-mode", no_argument, nullptr, opt_explain_mode},
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
    {"verify", no_argument, nullptr, opt_verify},
    {"manifest-checksums", required_argument, nullptr, opt_manifest_checksums},
    {"tablespace-mapping", required_argument, nullptr, opt_tablespace_mapping},
    {"timeout", required_argument, nullptr, opt_timeout},
    {"version", no_argument, nullptr, 'V'},
    {"help", no_argument, nullptr, opt_help},
    {nullptr, 0, nullptr, 0},
};

// pg_rewind's own: a prefix of one of these is as good as the whole, for what calls us by its name.
constexpr std::string_view options_of_pg_rewind[] = {
    "restore-target-wal", "target-pgdata", "source-pgdata",       "source-server", "dry-run",     "no-sync", "progress",
    "write-recovery-conf", "config-file",  "no-ensure-shutdown",  "debug",         "sync-method", "version", "help",
};

// The long options that begin with what `argument` ("--prefix" or "--prefix=value") says.
std::vector<const option *> options_meant(std::string_view argument)
{
    std::vector<const option *> meant;
    if (!argument.starts_with("--"))
        return meant;
    std::string_view prefix = argument.substr(2, argument.find('=') - 2);
    for (const option *known = long_options; known->name != nullptr; known++)
        if (!prefix.empty() && std::string_view(known->name).starts_with(prefix))
            meant.push_back(known);
    return meant;
}

// One that is ambiguous only among what pg_rewind does not have.
const option *meant_by_pg_rewind(std::string_view argument)
{
    std::vector<const option *> meant = options_meant(argument);
    std::erase_if(meant, [](const option *known) {
        return std::find(std::begin(options_of_pg_rewind), std::end(options_of_pg_rewind), known->name) == std::end(options_of_pg_rewind);
    });
    return meant.size() == 1 ? meant.front() : nullptr;
}

// getopt_long(), to which such an abbreviation is unknown.
int next_option(int argc, char *const argv[], bool as_pg_rewind)
{
    int letter = getopt_long(argc, argv, letters, long_options, nullptr);
    if (letter != '?' || !as_pg_rewind || optopt != 0)
        return letter;
    const option *meant = meant_by_pg_rewind(argv[optind - 1]);
    if (meant == nullptr)
        return letter;
    const option only[] = {*meant, {nullptr, 0, nullptr, 0}};
    optind--; // glibc goes on where this points to
    return getopt_long(argc, argv, letters, only, nullptr);
}

std::string base_name(const char *argv0)
{
    const char *slash = std::strrchr(argv0, '/');
    return slash == nullptr ? argv0 : slash + 1;
}

// What getopt_long() could not take. optopt is 0 for an unknown long option, the option's own value for a long one
// that was given a value it does not take, and otherwise the unknown letter.
Error unknown_option(const std::string &program, char *const argv[])
{
    std::vector<const option *> meant = options_meant(argv[optind - 1]);
    if (optopt == 0 && meant.size() > 1) {
        std::string names;
        for (const option *known : meant)
            names += (names.empty() ? "--" : ", --") + std::string(known->name);
        std::string_view given(argv[optind - 1]);
        return usage_error(program, format("option \"%s\" is ambiguous; it could be %s",
                                           std::string(given.substr(0, given.find('='))).c_str(), names.c_str()));
    }
    if (optopt == 0 || optopt > 255 || std::strchr(letters, optopt) != nullptr)
        return usage_error(program, format("unrecognized option \"%s\"", argv[optind - 1]));
    return usage_error(program, format("invalid option -- \"%c\"", optopt));
}

// The long name of the option that getopt_long() has just returned.
void note_given(int letter, std::vector<std::string> &given)
{
    for (const option *known = long_options; known->name != nullptr; known++) {
        if (known->val == letter) {
            given.emplace_back(known->name);
            return;
        }
    }
}

Error missing_value(const std::string &program, char *const argv[])
{
    return usage_error(program, format("option \"%s\" requires an argument", argv[optind - 1]));
}

} // namespace

CommandLine parse_command_line(int argc, char *const argv[])
{
    CommandLine line;
    Options &options = line.options;
    options.program = base_name(argc > 0 ? argv[0] : "pg_failback");
    // Scripts that call us by pg_rewind's name rely on what it does. It has no commands.
    const bool as_pg_rewind = options.program == "pg_rewind";
    if (as_pg_rewind)
        options.config_files = ConfigFiles::source;

    // As the first argument these two win over anything that follows; "-?" is an option only there, or after a command.
    int first = 1;
    if (argc > 1 && !as_pg_rewind && find_command(argv[1], options.command))
        first = 2;
    if (argc > first && (std::strcmp(argv[first], "--help") == 0 || std::strcmp(argv[first], "-?") == 0)) {
        line.action = CommandAction::show_help;
        return line;
    }
    if (argc > first && (std::strcmp(argv[first], "--version") == 0 || std::strcmp(argv[first], "-V") == 0)) {
        line.action = CommandAction::show_version;
        return line;
    }

    std::vector<std::string> given;
    optind = 0; // makes getopt start afresh
    opterr = 0;
    for (;;) {
        int letter = next_option(argc, argv, as_pg_rewind);
        if (letter == -1)
            break;
        note_given(letter, given);
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
        case opt_max_rate: options.max_rate = parse_rate("--max-rate", optarg); break;
        case opt_max_rate_read: options.max_rate_read = parse_rate("--max-rate-read", optarg); break;
        case opt_explain_mode: options.explain_mode = true; break;
        case opt_slot: options.slot = optarg; break;
        case opt_create_slot: options.create_slot = true; break;
        case opt_mode: options.mode = parse_mode(optarg); break;
        case opt_compress: parse_compression(optarg, options); break;
        case opt_report: options.report = optarg; break;
        case opt_verify: options.verify = true; break;
        case opt_manifest_checksums: options.manifest_checksums = parse_manifest_checksums(optarg); break;
        case opt_timeout: options.timeout_seconds = parse_number("--timeout", optarg, 0, 86400); break;
        case opt_help: line.action = CommandAction::show_help; return line;
        case 'V': line.action = CommandAction::show_version; return line;
        case ':': throw missing_value(options.program, argv);
        default: throw unknown_option(options.program, argv);
        }
    }
    std::vector<std::string> arguments(argv + optind, argv + argc);
    if (!arguments.empty() && !as_pg_rewind && find_command(arguments.front(), options.command))
        arguments.erase(arguments.begin());
    check_options(options, given, arguments);
    return line;
}

void refuse_root(const std::string &program)
{
    if (geteuid() == 0)
        throw Error(ErrorCode::access_denied, "cannot be executed by \"root\"", {},
                    format("You must run %s as the PostgreSQL superuser.", program.c_str()));
}

} // namespace failback
