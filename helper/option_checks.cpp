#include "helper/option_checks.h"

#include <algorithm>
#include <span>
#include <utility>

namespace failback {

namespace {

// What each command takes beside -D and its source; an option that is not listed would be ignored, so it is refused.
constexpr std::string_view diff_options[] = {"config-file", "debug",  "jobs",    "max-rate-read",
                                             "progress",    "report", "timeout", "verbose"};

constexpr std::string_view verify_options[] = {"debug", "jobs", "progress", "verbose"};

struct CommandRow {
    std::string_view word;
    Command command;
    std::span<const std::string_view> options;
};

constexpr CommandRow commands[] = {
    {"diff", Command::diff, diff_options},
    {"verify", Command::verify, verify_options},
};

// As it was called, with its command: both have a --help of their own.
std::string name_of(const Options &options)
{
    for (const CommandRow &row : commands)
        if (row.command == options.command)
            return options.program + " " + std::string(row.word);
    return options.program;
}

void check_command(const Options &options, const std::vector<std::string> &given)
{
    if (options.command == Command::failback)
        return;
    const CommandRow &row = *std::find_if(std::begin(commands), std::end(commands),
                                          [&](const CommandRow &r) { return r.command == options.command; });
    for (const std::string &name : given) {
        bool is_source = name == "source-server" || name == "source-pgdata";
        bool common = name == "target-pgdata" || (is_source && options.command != Command::verify);
        if (!common && std::find(row.options.begin(), row.options.end(), name) == row.options.end())
            throw usage_error(name_of(options), format("option --%s cannot be used with command \"%s\"", name.c_str(),
                                                      std::string(row.word).c_str()));
    }
}

// pg_rewind's checks, in its order and words.
void check_combinations(const Options &options, const std::vector<std::string> &given)
{
    const std::string program = name_of(options);
    // May be given as an empty string: then the environment (PGHOST, PGUSER and so on) says it all.
    bool server = std::find(given.begin(), given.end(), "source-server") != given.end();
    if (options.source_pgdata.empty() && !server && options.command != Command::verify)
        throw usage_error(program, "no source specified (--source-pgdata or --source-server)");
    if (!options.source_pgdata.empty() && server)
        throw usage_error(program, "only one of --source-pgdata or --source-server can be specified");
    if (options.target_pgdata.empty())
        throw usage_error(program, "no target data directory specified (--target-pgdata)");
    if (options.write_recovery_conf && !server)
        throw usage_error(program, "no source server information (--source-server) specified for --write-recovery-conf");
    // Of a script whose variable is empty.
    for (auto [name, value] : {std::pair{"slot", &options.slot}, {"report", &options.report}, {"restore-command", &options.restore_command}})
        if (value->empty() && std::find(given.begin(), given.end(), name) != given.end())
            throw usage_error(program, format("option --%s requires a value that is not empty", name));
    if (options.create_slot && options.slot.empty())
        throw usage_error(program, "--create-slot needs a name given with --slot");
    if (options.explain_mode && options.mode != Mode::automatic)
        throw usage_error(program, "--explain-mode has nothing to explain: --mode names the way");
    if (!options.slot.empty() && !server)
        throw usage_error(program, "--slot needs a running source (--source-server)");
}

} // namespace

Error usage_error(const std::string &program, const std::string &message)
{
    return Error(ErrorCode::invalid_parameter, message, {}, format("Try \"%s --help\" for more information.", program.c_str()));
}

bool find_command(std::string_view word, Command &command)
{
    for (const CommandRow &row : commands) {
        if (row.word != word)
            continue;
        command = row.command;
        return true;
    }
    return false;
}

void check_options(const Options &options, const std::vector<std::string> &given, const std::vector<std::string> &arguments)
{
    check_command(options, given);
    check_combinations(options, given);
    if (!arguments.empty())
        throw usage_error(name_of(options), format("too many command-line arguments (first is \"%s\")", arguments.front().c_str()));
}

} // namespace failback
