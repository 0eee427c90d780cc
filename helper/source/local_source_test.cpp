#include "helper/source/local_source.h"

#include "helper/source/source_contract.h"
#include "helper/wal/test_wal.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "catalog/catversion.h"
#include "port/pg_crc32c.h"
}

namespace failback {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t segment_size = 1024 * 1024;
const std::string space_directory = format("PG_%s_%u", PG_MAJORVERSION, static_cast<unsigned>(CATALOG_VERSION_NO));

// A server that was promoted to timeline 2 and stopped cleanly.
class LocalSourceTest : public testing::Test {
protected:
    LocalSourceTest()
    {
        wal.append({});
        switch_point = wal.end();
        wal.begin_timeline(2);
        wal.append({});
        while (wal.end() < Lsn{0x1000000 + 2 * segment_size})
            wal.append_sized(60000);
        checkpoint = wal.append_checkpoint(wal.next_start(), true);
        end = wal.end();
        for (uint32_t timeline : {1u, 2u})
            for (uint64_t segment = 0x1000000 / segment_size; segment * segment_size < end.value; segment++)
                if (auto opened = wal.open(TimelineId{timeline}, segment)) {
                    auto bytes = opened->bytes(0, opened->size());
                    source.write("pg_wal/" + opened->name(), {bytes.begin(), bytes.end()});
                }
        source.write("pg_wal/00000002.history", "1\t" + switch_point.text() + "\tno recovery target specified\n");

        std::memset(&control, 0, sizeof control);
        control.system_identifier = test::TestWal::system_identifier;
        control.pg_control_version = PG_CONTROL_VERSION;
        control.catalog_version_no = CATALOG_VERSION_NO;
        control.state = DB_SHUTDOWNED;
        control.checkPoint = checkpoint.value;
        control.checkPointCopy.redo = checkpoint.value;
        control.checkPointCopy.ThisTimeLineID = 2;
        control.checkPointCopy.fullPageWrites = true;
        control.wal_level = 1;
        control.MaxConnections = 60;
        control.max_worker_processes = 8;
        control.max_wal_senders = 10;
        control.max_prepared_xacts = 3;
        control.max_locks_per_xact = 64;
        control.blcksz = BLCKSZ;
        control.relseg_size = RELSEG_SIZE;
        control.xlog_blcksz = XLOG_BLCKSZ;
        control.xlog_seg_size = segment_size;
        control.floatFormat = FLOATFORMAT_VALUE;
        control.float8ByVal = true;
        write_control();

        source.write("PG_VERSION", "15\n");
        source.write("base/1/1259", std::string(3 * 8192, 'a') + std::string(100, 'b'));
        source.write("base/1/1260", std::string(300 * 8192, 'c'));
        source.write("base/1/1261", "");
        source.write("base/1/1259_vm", std::string(8192, 'v'));
        source.write("pg_xact/0000", std::string(8192, 'x'));
    }

    void write_control()
    {
        INIT_CRC32C(control.crc);
        COMP_CRC32C(control.crc, &control, offsetof(ControlFileData, crc));
        FIN_CRC32C(control.crc);
        std::string image(PG_CONTROL_FILE_SIZE, '\0');
        std::memcpy(image.data(), &control, sizeof control);
        source.write("global/pg_control", image);
    }

    std::unique_ptr<LocalSource> open() { return std::make_unique<LocalSource>(source.path(), target.path()); }

    // The message; "" if it is accepted.
    std::string refused()
    {
        try {
            open();
            return "";
        } catch (const Error &error) {
            if (error.code() == ErrorCode::wrong_state) {
                EXPECT_FALSE(error.hint().empty()) << error.what();
            }
            return error.what();
        }
    }

    test::TestWal wal{segment_size};
    test::TestDirectory source, target;
    ControlFileData control;
    Lsn switch_point, checkpoint, end;
};

TEST_F(LocalSourceTest, KeepsTheContract)
{
    test::expect_source_contract(*open(), source);
    auto slow = open();
    slow->limit_reads(50'000'000);
    test::expect_source_contract(*slow, source);
}

TEST_F(LocalSourceTest, StateOfAStoppedPrimary)
{
    SourceState state = open()->state();
    EXPECT_EQ(parse_control_file(state.control_file, "control").data.checkPoint, checkpoint.value);
    EXPECT_FALSE(state.in_recovery);
    EXPECT_EQ(state.timeline, TimelineId{2});
    EXPECT_EQ(state.current, end);
    EXPECT_EQ(state.history, source.read("pg_wal/00000002.history"));
    EXPECT_TRUE(state.full_page_writes);
    EXPECT_EQ(state.wal_level, "replica");
    EXPECT_EQ(state.log_directory, "log");
    EXPECT_EQ(state.max_connections, 60);
    EXPECT_EQ(state.max_worker_processes, 8);
    EXPECT_EQ(state.max_wal_senders, 10);
    EXPECT_EQ(state.max_prepared_transactions, 3);
    EXPECT_EQ(state.max_locks_per_transaction, 64);
    EXPECT_EQ(open()->begin_backup().current, end);
    EXPECT_EQ(open()->describe(), "");
}

TEST_F(LocalSourceTest, RecoveryEndsBehindTheShutdownCheckpoint)
{
    RecoveryEnd recovery = open()->recovery_end();
    EXPECT_EQ(recovery.lsn, end);
    EXPECT_GT(recovery.lsn, checkpoint);
    EXPECT_EQ(recovery.timeline, TimelineId{2});
    EXPECT_FALSE(recovery.in_recovery);
}

TEST_F(LocalSourceTest, AStoppedStandby)
{
    control.state = DB_SHUTDOWNED_IN_RECOVERY;
    control.checkPointCopy.ThisTimeLineID = 1;
    control.minRecoveryPoint = end.value;
    control.minRecoveryPointTLI = 2;
    write_control();
    SourceState state = open()->state();
    EXPECT_TRUE(state.in_recovery);
    EXPECT_EQ(state.timeline, TimelineId{2});
    EXPECT_EQ(state.current, end);
    RecoveryEnd recovery = open()->recovery_end();
    EXPECT_TRUE(recovery.in_recovery);
    EXPECT_EQ(recovery.lsn, end);
    EXPECT_EQ(recovery.timeline, TimelineId{2});
}

TEST_F(LocalSourceTest, OnlyACleanlyStoppedServer)
{
    for (DBState state : {DB_STARTUP, DB_SHUTDOWNING, DB_IN_CRASH_RECOVERY, DB_IN_ARCHIVE_RECOVERY, DB_IN_PRODUCTION}) {
        control.state = state;
        write_control();
        EXPECT_EQ(refused(), "source data directory must be shut down cleanly") << state;
    }
    control.state = DB_SHUTDOWNED_IN_RECOVERY; // of a standby that was never consistent
    write_control();
    EXPECT_NE(refused().find("consistent"), std::string::npos);
    control.minRecoveryPoint = end.value;
    control.minRecoveryPointTLI = 2;
    control.backupStartPoint = 0x1000028;
    write_control();
    EXPECT_NE(refused().find("consistent"), std::string::npos);
}

TEST_F(LocalSourceTest, OnlyOneThatIsNotInUse)
{
    // A process in that directory, whose number stands in postmaster.pid.
    pid_t child = ::fork();
    if (child == 0) {
        (void) !::chdir(source.path().c_str());
        ::pause();
        ::_exit(0);
    }
    source.write("postmaster.pid", std::to_string(child) + "\n" + source.path() + "\n");
    std::string cwd = format("/proc/%d/cwd", static_cast<int>(child));
    while (fs::read_symlink(cwd) != fs::canonical(source.path()))
        ::usleep(1000);
    EXPECT_NE(refused().find("source server must be shut down"), std::string::npos);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(refused(), "") << "a stale postmaster.pid";
}

TEST_F(LocalSourceTest, NeverTheTargetItself)
{
    EXPECT_THROW(LocalSource(source.path(), source.path()), Error);
    fs::create_directory_symlink(source.path(), target / "link");
    EXPECT_THROW(LocalSource(target / "link", source.path()), Error);
    EXPECT_THROW(LocalSource("/nonexistent", target.path()), Error);
}

TEST_F(LocalSourceTest, NeverOneThatSharesADirectoryWithTheTarget)
{
    fs::create_directories(target / "pg_tblspc");
    fs::create_directories(source / "pg_tblspc");
    test::TestDirectory space;
    fs::create_directory_symlink(space.path(), source / "pg_tblspc/16385");
    EXPECT_EQ(refused(), "");
    fs::create_directory_symlink(space.path(), target / "pg_tblspc/16385");
    EXPECT_NE(refused().find("share the directory \"pg_tblspc/16385\""), std::string::npos);
    fs::remove(target / "pg_tblspc/16385");
    fs::create_directory_symlink(source / "pg_wal", target / "pg_wal");
    EXPECT_NE(refused().find("share the directory \"pg_wal\""), std::string::npos);
}

TEST_F(LocalSourceTest, AnUnfinishedFailbackOntoIt)
{
    fs::remove(source / "global/pg_control");
    EXPECT_NE(refused().find("does not exist"), std::string::npos);
    source.write(note_path, "note");
    try {
        open();
        FAIL();
    } catch (const Error &error) {
        EXPECT_NE(error.hint().find("interrupted pg_failback"), std::string::npos);
    }
}

TEST_F(LocalSourceTest, LockedAgainstAFailbackOntoIt)
{
    std::unique_ptr<LocalSource> first = open();
    EXPECT_EQ(refused(), "") << "two may read";
    int fd = ::open(source.path().c_str(), O_RDONLY | O_DIRECTORY);
    EXPECT_NE(::flock(fd, LOCK_EX | LOCK_NB), 0);
    first.reset();
    EXPECT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
    EXPECT_NE(refused().find("another pg_failback"), std::string::npos);
    ::close(fd);
}

TEST_F(LocalSourceTest, StartedWhileItIsCopied)
{
    std::unique_ptr<LocalSource> local = open();
    control.state = DB_IN_PRODUCTION;
    write_control();
    EXPECT_THROW(local->recovery_end(), Error);
    EXPECT_THROW(local->state(), Error);
}

TEST_F(LocalSourceTest, WalIsThereOrNot)
{
    std::unique_ptr<LocalSource> local = open();
    local->hold_wal(Lsn{0x1000000});
    local->hold_wal(switch_point);
    local->hold_wal(end);
    EXPECT_THROW(local->hold_wal(Lsn{0x1000000 - 1}), Error);
    // The segment of the switch, as timeline 2 has it.
    fs::remove(source / ("pg_wal/" + wal_segment_name(TimelineId{2}, 0x1000000 / segment_size, segment_size)));
    try {
        local->hold_wal(switch_point);
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
    }
    local->hold_wal(Lsn{0x1000000 + segment_size});
}

TEST_F(LocalSourceTest, WalThatIsNotWhatPgControlSays)
{
    control.checkPoint = control.checkPointCopy.redo = 0x1000028; // a record, but no shutdown checkpoint
    write_control();
    EXPECT_NE(refused().find("no shutdown checkpoint"), std::string::npos);
    control.checkPoint = control.checkPointCopy.redo = end.value;
    write_control();
    EXPECT_NE(refused().find("could not read the source's shutdown checkpoint"), std::string::npos);
    fs::remove(source / "pg_wal/00000002.history");
    EXPECT_NE(refused().find("00000002.history"), std::string::npos);
}

TEST_F(LocalSourceTest, ListsWhatAServerWould)
{
    test::TestDirectory space;
    space.write(space_directory + "/1/16390", "relation");
    space.write("PG_9.6_201608131/1/16390", "another version's");
    fs::create_directories(source / "pg_tblspc");
    fs::create_directory_symlink(space.path(), source / "pg_tblspc/16385");
    for (const char *name : {"log/postgresql.log", "server.key", "postmaster.opts", "backup_label", "pg_replslot/s/state", "base/1/t3_16400",
                             "base/1/16401", "base/1/16401_init", "pg_failback.staging/plan", "pg_wal/archive_status/x.done", "base/pgsql_tmp/pgsql_tmp1.0"})
        source.write(name, "x");
    fs::create_symlink("/etc/passwd", source / "base/1/16402");
    std::set<std::string> paths;
    open()->list_files([] {}, [&](FileEntry &&entry) { paths.insert(entry.path); });
    for (const char *name : {"PG_VERSION", "base/1/1259", "base/1/16401_init", "pg_wal/00000002.history", "pg_replslot", "pg_tblspc/16385"})
        EXPECT_TRUE(paths.contains(name)) << name;
    EXPECT_TRUE(paths.contains("pg_tblspc/16385/" + space_directory + "/1/16390"));
    for (const char *name : {"log", "log/postgresql.log", "server.key", "postmaster.opts", "backup_label", "pg_replslot/s", "base/1/t3_16400", "base/1/16401",
                             "base/1/16402", "pg_failback.staging", "pg_wal/archive_status/x.done", "pg_tblspc/16385/PG_9.6_201608131", "global/pg_control"})
        EXPECT_FALSE(paths.contains(name)) << name;
}

} // namespace
} // namespace failback
