// What --help and --version print.
#include "helper/options.h"

#include "common/error.h"
#include "helper/pg_frontend.h"

namespace failback {

namespace {

std::string diff_help(const std::string &program)
{
    return format("%s diff tells in which files and blocks two data directories differ.\n\n", program.c_str())
           + format("Usage:\n  %s diff [OPTION]...\n", program.c_str()) + R"(
Nothing is changed on either side. The target is stopped, in whatever state; the
source is what a failback would take. Read is what it has on disk: a CHECKPOINT
there before makes the picture exact.

Options:
  -D, --target-pgdata=DIRECTORY  data directory to compare
      --source-pgdata=DIRECTORY  source data directory to compare with
      --source-server=CONNSTR    source server to compare with
  -P, --progress                 write progress messages
  -j, --jobs=NUM                 compare over this many connections (default 2)
  -v, --verbose, --debug         write a lot of debug messages
      --config-file=FILENAME     use specified main server configuration
                                 file when asking for the target's settings
      --max-rate-read=RATE       let the source read no more than this, in
                                 kilobytes a second, or with suffix "k" or "M"
      --report=FILENAME          write a report in JSON ("-" for stdout, which
                                 then has nothing else)
      --timeout=SECONDS          give up when the source is silent for so long
                                 (0 never, default 60)
  -?, --help                     show this help, then exit

Exit status: 0 if both could be compared, whether or not they differ (the last
line, and "differs" in the report, tell); 1 if not.
)";
}

std::string verify_help(const std::string &program)
{
    return format("%s verify checks a data directory that a failback has left.\n\n", program.c_str())
           + format("Usage:\n  %s verify [OPTION]...\n", program.c_str()) + R"(
Until a server is started on it, everything that was fetched is compared with
the checksums taken when it arrived. Page checksums of relation files are
verified where data checksums are on. Nothing is changed.

Options:
  -D, --target-pgdata=DIRECTORY  data directory to verify
  -P, --progress                 write progress messages
  -j, --jobs=NUM                 read with this many threads (default 2)
  -v, --verbose, --debug         write a lot of debug messages
  -?, --help                     show this help, then exit

Exit status: 0 if no defect was found; 1 if there are, each is named, or if the
directory could not be verified.
)";
}

} // namespace

std::string help_text(const std::string &program, Command command)
{
    if (command == Command::diff)
        return diff_help(program);
    if (command == Command::verify)
        return verify_help(program);
    return format("%s brings an old primary back as a standby of the new one.\n\n", program.c_str())
           + format("Usage:\n  %s [OPTION]...\n", program.c_str())
           + (program == "pg_rewind" ? "" : format("  %s diff [OPTION]...    compare only (see diff --help)\n"
                                                  "  %s verify [OPTION]...  check the result (see verify --help)\n",
                                                  program.c_str(), program.c_str()))
           + R"(
The old primary (target) is stopped, the new one (source) is running and has the
extension pg_failback in the database that is connected to.

Options:
  -c, --restore-target-wal       use restore_command in target configuration to
                                 retrieve WAL files from archives
  -D, --target-pgdata=DIRECTORY  existing data directory to modify
      --source-pgdata=DIRECTORY  source data directory to synchronize with
      --source-server=CONNSTR    source server to synchronize with
  -n, --dry-run                  stop before modifying anything
  -N, --no-sync                  do not wait for changes to be written
                                 safely to disk
  -P, --progress                 write progress messages
  -R, --write-recovery-conf      write configuration for replication
                                 (requires --source-server)
  -j, --jobs=NUM                 fetch over this many connections (default 2)
  -v, --verbose                  same as --debug
      --compress=METHOD[:LEVEL]  compress what is fetched: none, lz4 or zstd
                                 (default lz4)
      --config-file=FILENAME     use specified main server configuration
                                 file when asking for the target's settings
      --config-files=WHOSE       configuration files in force afterwards:
                                 target (the source's are laid beside them as
                                 NAME.source) or source (default target;
                                 source when invoked as pg_rewind)
      --debug                    write a lot of debug messages
      --create-slot              create the slot named with --slot
      --explain-mode             say what going by WAL and comparing would move,
                                 and which of them is taken
      --manifest-checksums=SHA{224,256,384,512}|CRC32C|NONE
                                 write a backup_manifest for pg_verifybackup,
                                 with these checksums of all files
      --max-rate=RATE            receive no more than this, in kilobytes a
                                 second, or with suffix "k" or "M"
      --max-rate-read=RATE       let the source read no more than this for
                                 checksums of contents, same units
      --mode=MODE                find what differs from the target's WAL (wal),
                                 by comparing contents (compare), or by WAL
                                 where it can be trusted (auto, the default)
      --no-ensure-shutdown       accepted and ignored: an unclean shutdown needs
                                 no repair
      --report=FILENAME          write a report in JSON ("-" for stdout)
      --restore-command=COMMAND  retrieve WAL files with this command instead
                                 of restore_command (implies -c)
      --slot=SLOTNAME            physical replication slot on the source that
                                 keeps WAL for the standby from now on
      --sync-method=METHOD       set method for syncing files to disk: fsync or
                                 syncfs
      --tablespace-mapping=OLDDIR=NEWDIR
                                 a tablespace that only the source has, in
                                 OLDDIR there, goes to NEWDIR here
      --timeout=SECONDS          give up when the source is silent for so long
                                 (0 never, default 60)
      --verify                   read back what was written, and verify data
                                 page checksums
  -V, --version                  output version information, then exit
  -?, --help                     show this help, then exit

Exit status: 0 if done or nothing had to be done; 1 if it failed: the target is
untouched, unless the message says that the same command completes it, or that
it is complete.
)";
}

std::string version_text(const std::string &program)
{
    return format("%s (PostgreSQL) %s\npg_failback %s\n", program.c_str(), PG_VERSION, failback_version);
}

} // namespace failback
