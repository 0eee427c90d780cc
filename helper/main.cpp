// pg_failback: brings an old primary back as a standby of the new one.
#include "common/error.h"
#include "common/memory_reuse.h"
#include "common/secrets.h"
#include "helper/cancel.h"
#include "helper/diff.h"
#include "helper/failback.h"
#include "helper/pg_frontend.h"
#include "helper/verify.h"

#include <cstdio>
#include <filesystem>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

namespace failback {

namespace {

// Where a shell would need it.
std::string shell_quoted(const std::string &word)
{
    bool plain = word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@%+") ==
                 std::string::npos;
    std::string inside;
    for (char c : word)
        inside += c == '\'' ? "'\\''" : std::string(1, c);
    return plain && !word.empty() ? word : "'" + inside + "'";
}

// As typed, for a shell that may be in another directory. Passwords given in a connection string are left out.
std::string command_to_repeat(int argc, char *const argv[], const std::string &target)
{
    std::string line;
    std::string_view program(argv[0]);
    bool found_from_here = program.find('/') != std::string_view::npos && program[0] != '/';
    std::error_code error;
    std::string here = std::filesystem::current_path(error).string();
    if ((found_from_here || !target.starts_with('/')) && !error)
        line = "cd " + shell_quoted(here) + " && ";
    for (int i = 0; i < argc; i++)
        line += (i > 0 ? " " : "") + shell_quoted(may_hold_secret(argv[i]) ? "(connection string with a password)" : argv[i]);
    return line;
}

void log_error(const Error &error)
{
    pg_log_error("%s", error.what());
    if (!error.detail().empty())
        pg_log_error_detail("%s", error.detail().c_str());
    if (!error.hint().empty())
        pg_log_error_hint("%s", error.hint().c_str());
}

int run(int argc, char *argv[])
{
    CommandLine command = parse_command_line(argc, argv);
    switch (command.action) {
    case CommandAction::show_help:
        std::fputs(help_text(command.options.program, command.options.command).c_str(), stdout);
        return 0;
    case CommandAction::show_version:
        std::fputs(version_text(command.options.program).c_str(), stdout);
        return 0;
    case CommandAction::run:
        break;
    }
    refuse_root(command.options.program);
    if (command.options.debug)
        pg_logging_increase_verbosity();
    // Nobody but the server's user (and, where it is so set, its group) may read what we write.
    struct stat status;
    bool group = ::stat(command.options.target_pgdata.c_str(), &status) == 0 && (status.st_mode & 0050) == 0050;
    ::umask(group ? 0027 : 0077);
    install_cancel_handlers();
    keep_freed_memory();
    switch (command.options.command) {
    case Command::failback:
        run_failback(command.options, argv[0], command_to_repeat(argc, argv, command.options.target_pgdata));
        break;
    case Command::diff:
        run_diff(command.options, argv[0]);
        break;
    case Command::verify:
        run_verify(command.options);
        break;
    }
    return 0;
}

} // namespace

} // namespace failback

int main(int argc, char *argv[])
{
    pg_logging_init(argv[0]);
    pg_logging_set_level(PG_LOG_INFO);
    try {
        return failback::run(argc, argv);
    } catch (const failback::Error &error) {
        failback::log_error(error);
    } catch (const std::bad_alloc &) {
        pg_log_error("out of memory");
    } catch (const std::exception &error) {
        pg_log_error("%s", error.what());
    }
    return 1;
}
