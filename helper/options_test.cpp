#include "helper/options.h"

#include "common/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace failback {
namespace {

CommandLine parse(std::vector<std::string> arguments, const char *program = "/usr/bin/pg_failback")
{
    arguments.insert(arguments.begin(), program);
    std::vector<char *> argv;
    for (std::string &argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    return parse_command_line(static_cast<int>(arguments.size()), argv.data());
}

Options run(std::vector<std::string> more)
{
    more.insert(more.end(), {"-D", "/data", "--source-server", "host=new"});
    CommandLine command = parse(std::move(more));
    EXPECT_EQ(command.action, CommandAction::run);
    return command.options;
}

TEST(Options, ServerThatTheEnvironmentNames)
{
    Options options = parse({"-D", "/d", "--source-server=", "-R", "--slot=s"}).options;
    EXPECT_TRUE(options.source_server.empty());
    EXPECT_TRUE(options.source_pgdata.empty());
}

Error error_of(const std::vector<std::string> &arguments)
{
    try {
        parse(arguments);
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
        return error;
    }
    return Error(ErrorCode::internal, "none");
}

// Every prefix that pg_rewind takes for an option is one when we are called by its name, whatever we have beside it.
TEST(Options, AbbreviationsOfPgRewind)
{
    const struct {
        std::string name, value;
        bool (*given)(const Options &);
    } known[] = {
        {"restore-target-wal", "", [](const Options &o) { return o.restore_target_wal; }},
        {"target-pgdata", "=/t", [](const Options &o) { return o.target_pgdata == "/t"; }},
        {"source-pgdata", "=/s", [](const Options &o) { return o.source_pgdata == "/s"; }},
        {"source-server", "=host=s", [](const Options &o) { return o.source_server == "host=s"; }},
        {"dry-run", "", [](const Options &o) { return o.dry_run; }},
        {"no-sync", "", [](const Options &o) { return o.no_sync; }},
        {"progress", "", [](const Options &o) { return o.progress; }},
        {"write-recovery-conf", "", [](const Options &o) { return o.write_recovery_conf; }},
        {"config-file", "=/c", [](const Options &o) { return o.config_file == "/c"; }},
        {"no-ensure-shutdown", "", [](const Options &o) { return o.no_ensure_shutdown; }},
        {"debug", "", [](const Options &o) { return o.debug; }},
        {"sync-method", "=syncfs", [](const Options &o) { return o.sync_method == SyncMethod::syncfs; }},
    };
    for (const auto &option : known) {
        for (size_t length = 1; length <= option.name.size(); length++) {
            std::string prefix = option.name.substr(0, length);
            auto fits = std::count_if(std::begin(known), std::end(known), [&](const auto &other) { return other.name.starts_with(prefix); });
            std::vector<std::string> arguments = {"-D", "/d", "--" + prefix + option.value};
            if (option.name != "source-pgdata" && option.name != "source-server")
                arguments.insert(arguments.begin() + 2, "--source-server=x");
            if (option.name == "target-pgdata")
                arguments.erase(arguments.begin(), arguments.begin() + 2);
            if (fits > 1) {
                EXPECT_THROW(parse(arguments, "pg_rewind"), Error) << prefix;
                continue;
            }
            try {
                EXPECT_TRUE(option.given(parse(arguments, "pg_rewind").options)) << prefix;
            } catch (const Error &error) {
                ADD_FAILURE() << prefix << ": " << error.what();
            }
        }
    }
    // A value of its own, and what is no option at all.
    EXPECT_EQ(parse({"--t", "--ta", "--source-server=x", "--config", "/c", "--r"}, "pg_rewind").options.config_file, "/c");
    EXPECT_TRUE(parse({"--t", "--ta", "--source-server=x", "--config", "/c", "--r"}, "pg_rewind").options.restore_target_wal);
    EXPECT_EQ(parse({"--ver"}, "pg_rewind").action, CommandAction::show_version);
    EXPECT_THROW(parse({"-D", "/d", "--source-server=x", "--zzz"}, "pg_rewind"), Error);
    EXPECT_STREQ(error_of({"-D", "/d", "--source-server=x", "--config=/c"}).what(),
                 "option \"--config\" is ambiguous; it could be --config-file, --config-files");
}

TEST(Options, Defaults)
{
    Options options = run({});
    EXPECT_EQ(options.program, "pg_failback");
    EXPECT_EQ(options.target_pgdata, "/data");
    EXPECT_EQ(options.source_server, "host=new");
    EXPECT_EQ(options.source_pgdata, "");
    EXPECT_FALSE(options.restore_target_wal || options.dry_run || options.no_sync || options.progress);
    EXPECT_FALSE(options.write_recovery_conf || options.debug || options.no_ensure_shutdown);
    EXPECT_EQ(options.sync_method, SyncMethod::fsync);
    EXPECT_EQ(options.jobs, 2);
    EXPECT_EQ(options.config_files, ConfigFiles::target);
    EXPECT_EQ(options.compression, CompressionId::lz4);
    EXPECT_EQ(options.timeout_seconds, 60);
}

TEST(Options, ShortAndLongNames)
{
    Options short_ones = run({"-c", "-nNPR", "-j", "8", "-v"});
    EXPECT_TRUE(short_ones.restore_target_wal && short_ones.dry_run && short_ones.no_sync && short_ones.progress);
    EXPECT_TRUE(short_ones.write_recovery_conf && short_ones.debug);
    EXPECT_EQ(short_ones.jobs, 8);

    Options long_ones = run({"--restore-target-wal", "--target-pgdata=/data/", "--dry-run", "--no-sync", "--progress",
                             "--write-recovery-conf", "--config-file=/etc/p.conf", "--debug", "--no-ensure-shutdown",
                             "--sync-method=syncfs", "--jobs=64", "--verbose", "--config-files=source", "--report=-",
                             "--timeout=0", "--compress=zstd:5"});
    EXPECT_TRUE(long_ones.restore_target_wal && long_ones.dry_run && long_ones.no_sync && long_ones.progress);
    EXPECT_TRUE(long_ones.write_recovery_conf && long_ones.debug && long_ones.no_ensure_shutdown);
    EXPECT_EQ(long_ones.config_file, "/etc/p.conf");
    EXPECT_EQ(long_ones.sync_method, SyncMethod::syncfs);
    EXPECT_EQ(long_ones.jobs, 64);
    EXPECT_EQ(long_ones.config_files, ConfigFiles::source);
    EXPECT_EQ(long_ones.report, "-");
    EXPECT_EQ(long_ones.timeout_seconds, 0);
    EXPECT_EQ(long_ones.compression, CompressionId::zstd);
    EXPECT_EQ(long_ones.compression_level, 5);
}

TEST(Options, DataDirectoryWithoutTrailingSlash)
{
    EXPECT_EQ(parse({"-D", "/data//", "--source-pgdata=/src/"}).options.target_pgdata, "/data");
    EXPECT_EQ(parse({"-D", "/data//", "--source-pgdata=/src/"}).options.source_pgdata, "/src");
    EXPECT_EQ(parse({"-D", "/", "--source-pgdata=/src"}).options.target_pgdata, "/");
}

TEST(Options, RestoreCommandImpliesItsUse)
{
    Options options = run({"--restore-command=cp /a/%f %p"});
    EXPECT_TRUE(options.restore_target_wal);
    EXPECT_EQ(options.restore_command, "cp /a/%f %p");
}

TEST(Options, Compression)
{
    EXPECT_EQ(run({"--compress=lz4"}).compression, CompressionId::lz4);
    EXPECT_EQ(run({"--compress=lz4"}).compression_level, find_compression("lz4").default_level);
    EXPECT_EQ(run({"--compress=none"}).compression, CompressionId::none);
    for (const char *bad : {"--compress=gzip", "--compress=", "--compress=zstd:", "--compress=zstd:x", "--compress=zstd:1000",
                            "--compress=none:1", "--compress=zstd:5:6"})
        EXPECT_STRNE(error_of({bad}).what(), "none") << bad;
}

TEST(Options, InvokedAsPgRewind)
{
    EXPECT_EQ(parse({"-D", "/d", "--source-server=x"}, "/usr/lib/pg_rewind").options.config_files, ConfigFiles::source);
    EXPECT_EQ(parse({"-D", "/d", "--source-server=x", "--config-files=target"}, "pg_rewind").options.config_files,
              ConfigFiles::target);
}

TEST(Options, HelpAndVersion)
{
    EXPECT_EQ(parse({"--help"}).action, CommandAction::show_help);
    EXPECT_EQ(parse({"-?", "--nonsense"}).action, CommandAction::show_help);
    EXPECT_EQ(parse({"--version", "--nonsense"}).action, CommandAction::show_version);
    EXPECT_EQ(parse({"-V"}).action, CommandAction::show_version);
    EXPECT_EQ(parse({"-n", "--help"}).action, CommandAction::show_help);
    EXPECT_EQ(parse({"-n", "-V"}).action, CommandAction::show_version);
    std::string help = help_text("pg_failback");
    for (const char *name : {"--restore-target-wal", "--target-pgdata", "--source-pgdata", "--source-server", "--dry-run", "--no-sync",
                             "--progress", "--write-recovery-conf", "--config-file=", "--debug", "--no-ensure-shutdown",
                             "--sync-method", "--jobs", "--verbose", "--config-files", "--restore-command", "--compress",
                             "--report", "--timeout", "--version", "--help"})
        EXPECT_NE(help.find(name), std::string::npos) << name;
    for (size_t start = 0; start < help.size(); start = help.find('\n', start) + 1)
        EXPECT_LE(help.find('\n', start) - start, 80u) << help.substr(start, 80);
    EXPECT_TRUE(version_text("pg_failback").starts_with("pg_failback (PostgreSQL) 1"));
    EXPECT_NE(version_text("pg_failback").find("\npg_failback 1.0\n"), std::string::npos);
}

TEST(Options, PgRewindsComplaints)
{
    const std::pair<std::vector<std::string>, const char *> cases[] = {
        {{}, "no source specified (--source-pgdata or --source-server)"},
        {{"-D", "/d"}, "no source specified (--source-pgdata or --source-server)"},
        {{"-D", "/d", "--source-pgdata=/s", "--source-server="}, "only one of --source-pgdata or --source-server can be specified"},
        {{"-D", "/d", "--source-pgdata=/s", "--source-server=x"}, "only one of --source-pgdata or --source-server can be specified"},
        {{"--source-pgdata=/s"}, "no target data directory specified (--target-pgdata)"},
        {{"-D", "/d", "--source-pgdata=/s", "-R"},
         "no source server information (--source-server) specified for --write-recovery-conf"},
        {{"-D", "/d", "--source-server=x", "more", "still"}, "too many command-line arguments (first is \"more\")"},
        {{"more", "-D", "/d", "--source-server=x"}, "too many command-line arguments (first is \"more\")"},
        {{"--nonsense"}, "unrecognized option \"--nonsense\""},
        {{"-n", "--nonsense=3"}, "unrecognized option \"--nonsense=3\""},
        {{"--source-server=x", "--dry-run=yes"}, "unrecognized option \"--dry-run=yes\""},
        {{"--source-server=x", "--progress=1"}, "unrecognized option \"--progress=1\""},
        {{"-D/d", "--debug=1"}, "unrecognized option \"--debug=1\""},
        {{"--debug", "-xn"}, "invalid option -- \"x\""},
        {{"-x"}, "invalid option -- \"x\""},
        {{"-nx"}, "invalid option -- \"x\""},
        {{"-D"}, "option \"-D\" requires an argument"},
        {{"--source-server"}, "option \"--source-server\" requires an argument"},
    };
    for (const auto &[arguments, message] : cases) {
        Error error = error_of(arguments);
        EXPECT_STREQ(error.what(), message);
        EXPECT_EQ(error.hint(), "Try \"pg_failback --help\" for more information.") << message;
    }
}

TEST(Options, DiffIsACommand)
{
    for (const std::vector<std::string> &arguments :
         {std::vector<std::string>{"diff", "-D", "/d", "--source-server=x", "-j3"}, {"-j3", "-D", "/d", "--source-server=x", "diff"},
          {"-j", "3", "diff", "--source-server=x", "-D/d"}}) {
        CommandLine line = parse(arguments);
        EXPECT_EQ(line.action, CommandAction::run);
        EXPECT_EQ(line.options.command, Command::diff);
        EXPECT_EQ(line.options.jobs, 3);
    }
    EXPECT_EQ(run({}).command, Command::failback);
    EXPECT_EQ(parse({"diff", "--help"}).options.command, Command::diff);
    EXPECT_EQ(parse({"diff", "--help"}).action, CommandAction::show_help);
    EXPECT_NE(help_text("pg_failback").find("pg_failback diff"), std::string::npos);
    EXPECT_EQ(help_text("pg_rewind").find(" diff "), std::string::npos);
    std::string help = help_text("pg_failback", Command::diff);
    EXPECT_NE(help.find("--report"), std::string::npos);
    for (size_t start = 0; start < help.size(); start = help.find('\n', start) + 1)
        EXPECT_LE(help.find('\n', start) - start, 80u) << help.substr(start, 80);
}

TEST(Options, WhatACommandDoesNotTakeIsRefusedByName)
{
    for (const char *other : {"--dry-run", "--write-recovery-conf", "--restore-target-wal", "--restore-command=x", "--no-sync", "--mode=wal",
                              "--slot=s", "--create-slot", "--compress=lz4", "--config-files=source", "--sync-method=fsync",
                              "--tablespace-mapping=/a=/b", "--no-ensure-shutdown", "--max-rate=1M"}) {
        std::string name = std::string(other).substr(0, std::string(other).find('='));
        EXPECT_EQ(error_of({"diff", "-D", "/d", "--source-server=x", other}).what(), "option " + name + " cannot be used with command \"diff\"");
    }
    EXPECT_STREQ(error_of({"diff", "-D", "/d", "--source-server=x", "-n"}).what(), "option --dry-run cannot be used with command \"diff\"");
    EXPECT_STREQ(error_of({"diff", "-D", "/d"}).what(), "no source specified (--source-pgdata or --source-server)");
    EXPECT_STREQ(error_of({"diff", "diff", "-D", "/d", "--source-server=x"}).what(), "too many command-line arguments (first is \"diff\")");
    EXPECT_THROW(parse({"diff", "-D", "/d", "--source-server=x"}, "pg_rewind"), Error);
}

TEST(Options, Values)
{
    for (const char *bad : {"-j0", "-j65", "-jx", "-j 2x", "--jobs=", "--jobs=99999999999", "--timeout=-1", "--timeout=1s",
                            "--sync-method=none", "--config-files=both", "--config-files=", "--dry-run=yes", "--no"})
        EXPECT_STRNE(error_of({bad, "-D", "/d", "--source-server=x"}).what(), "none") << bad;
    EXPECT_STREQ(error_of({"-j0"}).what(), "-j/--jobs must be in range 1..64");
    EXPECT_STREQ(error_of({"--jobs=99999999999"}).what(), "-j/--jobs must be in range 1..64");
    EXPECT_STREQ(error_of({"--jobs=2x"}).what(), "invalid value \"2x\" for option -j/--jobs");
}

} // namespace
} // namespace failback
