#include "helper/cluster/target_settings.h"

#include "common/error.h"
#include "helper/cluster/child_process.h"
#include "helper/pg_frontend.h"

#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "port.h"
}

namespace failback {

namespace {

bool is_file(const std::string &path)
{
    struct stat found;
    return stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

std::string absolute_path(const std::string &path)
{
    char *resolved = realpath(path.c_str(), nullptr);
    if (resolved == nullptr)
        return path;
    std::string result(resolved);
    free(resolved);
    return result;
}

// The arguments of `program "a" "b"`: each in double quotes. The server escapes nothing, so that an argument ends
// where a quote is followed by the next argument or by the end of the line.
std::vector<std::string> quoted_arguments(std::string_view text)
{
    std::vector<std::string> arguments;
    text = text.substr(0, text.find('\n'));
    size_t first = text.find(" \"");
    if (first == text.npos || !text.ends_with('"') || text.size() < first + 3)
        return arguments;
    text = text.substr(first + 2, text.size() - first - 3);
    for (;;) {
        size_t end = text.find("\" \"");
        arguments.emplace_back(text.substr(0, end));
        if (end == text.npos)
            return arguments;
        text.remove_prefix(end + 3);
    }
}

// "config_file=X", "config-file=X" -> X
bool config_file_value(std::string_view setting, std::string &value)
{
    for (std::string_view name : {"config_file=", "config-file="})
        if (setting.starts_with(name)) {
            value = setting.substr(name.size());
            return true;
        }
    return false;
}

// postmaster.opts may have come with a copy of another data directory, and name that one's.
bool is_of_another_cluster(const std::string &config_file, const std::string &data_directory)
{
    std::string directory = config_file.substr(0, config_file.rfind('/'));
    return is_file(directory + "/PG_VERSION") && absolute_path(directory) != absolute_path(data_directory);
}

} // namespace

bool ConfigLocation::outside() const
{
    if (config_file.empty())
        return false;
    std::string directory = absolute_path(data_directory) + "/";
    return !absolute_path(config_file).starts_with(directory);
}

std::string config_file_from_postmaster_opts(std::string_view text, std::string_view data_directory)
{
    std::vector<std::string> arguments = quoted_arguments(text);
    std::string config_file, directory;
    for (size_t i = 0; i < arguments.size(); i++) {
        std::string_view argument = arguments[i];
        bool more = i + 1 < arguments.size();
        if (argument == "-c" && more)
            config_file_value(arguments[++i], config_file);
        else if (argument.starts_with("-c"))
            config_file_value(argument.substr(2), config_file);
        else if (argument.starts_with("--"))
            config_file_value(argument.substr(2), config_file);
        else if (argument == "-D" && more)
            directory = arguments[++i];
        else if (argument.starts_with("-D"))
            directory = argument.substr(2);
    }
    if (!config_file.empty())
        return config_file;
    // -D may name the directory of the configuration, which sets data_directory.
    if (!directory.empty() && directory != data_directory && directory.starts_with('/'))
        return directory + "/postgresql.conf";
    return {};
}

ConfigLocation find_target_config(const std::string &data_directory, const std::string &given)
{
    ConfigLocation location{data_directory, given};
    if (!given.empty())
        return location;
    std::ifstream opts(data_directory + "/postmaster.opts");
    std::stringstream text;
    text << opts.rdbuf();
    std::string named = config_file_from_postmaster_opts(text.str(), data_directory);
    if (!named.empty() && is_file(named) && !is_of_another_cluster(named, data_directory))
        location.config_file = named;
    return location;
}

std::string find_postgres_program(const char *argv0)
{
    char own[MAXPGPATH];
    std::vector<std::string> tried;
    if (find_my_exec(argv0, own) == 0) {
        std::string directory(own);
        tried.push_back(directory.substr(0, directory.rfind('/')) + "/postgres");
        // Not installed yet: where the PostgreSQL we were built for has its programs.
        char libraries[MAXPGPATH];
        get_pkglib_path(own, libraries);
        for (const char *up : {"/../bin/postgres", "/../../bin/postgres"})
            tried.push_back(std::string(libraries) + up);
    }
    for (const std::string &program : tried)
        if (access(program.c_str(), X_OK) == 0)
            return absolute_path(program);
    throw Error(ErrorCode::undefined_file, "could not find program \"postgres\"",
                tried.empty() ? "" : format("It is not \"%s\".", tried.front().c_str()),
                "Install this program in the directory of the server's programs (pg_config --bindir).");
}

std::map<std::string, std::string> read_target_settings(const std::string &postgres_program, const ConfigLocation &config,
                                                        const std::vector<std::string> &names)
{
    std::vector<ChildProcess> processes;
    processes.reserve(names.size());
    for (const std::string &name : names) {
        std::vector<std::string> command = {postgres_program, "-C", name, "-D", config.data_directory};
        if (!config.config_file.empty()) {
            command.push_back("-c");
            command.push_back("config_file=" + config.config_file);
        }
        processes.emplace_back(command);
    }
    std::map<std::string, std::string> values;
    for (size_t i = 0; i < names.size(); i++) {
        ChildOutput output = processes[i].finish();
        if (output.exit_status != 0) {
            while (output.standard_error.ends_with('\n'))
                output.standard_error.pop_back();
            throw Error(ErrorCode::wrong_state,
                        format("could not read setting \"%s\" of the target with program \"%s\"", names[i].c_str(),
                               postgres_program.c_str()),
                        output.standard_error.empty() ? format("It ended with status %d.", output.exit_status)
                                                      : "It printed: " + output.standard_error,
                        config.config_file.empty()
                            ? "If the configuration is not in the data directory, name it with --config-file."
                            : "");
        }
        if (output.standard_output.ends_with('\n'))
            output.standard_output.pop_back();
        values[names[i]] = output.standard_output;
    }
    return values;
}

} // namespace failback
