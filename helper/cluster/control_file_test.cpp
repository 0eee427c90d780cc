#include "helper/cluster/control_file.h"

#include <gtest/gtest.h>

#include <cstring>

extern "C" {
#include "catalog/catversion.h"
#include "port/pg_crc32c.h"
}

namespace failback {
namespace {

ControlFileData sample()
{
    ControlFileData data;
    std::memset(&data, 0, sizeof data);
    data.system_identifier = 7654321987654321987ULL;
    data.pg_control_version = PG_CONTROL_VERSION;
    data.catalog_version_no = CATALOG_VERSION_NO;
    data.state = DB_SHUTDOWNED;
    data.checkPoint = 0x3000060;
    data.checkPointCopy.redo = 0x3000028;
    data.checkPointCopy.ThisTimeLineID = 3;
    data.blcksz = BLCKSZ;
    data.relseg_size = RELSEG_SIZE;
    data.xlog_blcksz = XLOG_BLCKSZ;
    data.xlog_seg_size = 16 * 1024 * 1024;
    data.floatFormat = FLOATFORMAT_VALUE;
    data.float8ByVal = true;
    data.MaxConnections = 100;
    return data;
}

std::vector<unsigned char> image_of(ControlFileData data)
{
    INIT_CRC32C(data.crc);
    COMP_CRC32C(data.crc, &data, offsetof(ControlFileData, crc));
    FIN_CRC32C(data.crc);
    std::vector<unsigned char> image(PG_CONTROL_FILE_SIZE, 0);
    std::memcpy(image.data(), &data, sizeof data);
    return image;
}

ControlFile parsed(const ControlFileData &data)
{
    return parse_control_file(image_of(data), "pg_control");
}

Error error_of(const std::vector<unsigned char> &image)
{
    try {
        parse_control_file(image, "pg_control");
    } catch (const Error &error) {
        return error;
    }
    return Error(ErrorCode::internal, "none");
}

TEST(ControlFile, Reads)
{
    ControlFile control = parsed(sample());
    EXPECT_EQ(control.timeline().value, 3u);
    EXPECT_TRUE(control.cleanly_shut_down());
    EXPECT_EQ(control.redo().value, 0x3000028u);
    EXPECT_EQ(control.checkpoint().value, 0x3000060u);
    EXPECT_STREQ(control.state_name(), "shut down");
    EXPECT_EQ(control.image, image_of(sample()));
}

TEST(ControlFile, TimelineAndState)
{
    ControlFileData data = sample();
    data.minRecoveryPointTLI = 5;
    data.state = DB_IN_PRODUCTION;
    EXPECT_EQ(parsed(data).timeline().value, 5u);
    EXPECT_FALSE(parsed(data).cleanly_shut_down());
    data.minRecoveryPointTLI = 2;
    data.state = DB_SHUTDOWNED_IN_RECOVERY;
    EXPECT_EQ(parsed(data).timeline().value, 3u);
    EXPECT_TRUE(parsed(data).cleanly_shut_down());
}

TEST(ControlFile, EveryDamagedByteIsFound)
{
    const std::vector<unsigned char> good = image_of(sample());
    for (size_t at = 0; at < offsetof(ControlFileData, crc) + sizeof(pg_crc32c); at++) {
        std::vector<unsigned char> bad = good;
        bad[at] ^= 0x10;
        EXPECT_THROW(parse_control_file(bad, "pg_control"), Error) << "byte " << at;
    }
}

TEST(ControlFile, ValuesThatNoServerWritesAreRefused)
{
    for (size_t offset : {offsetof(ControlFileData, state), offsetof(ControlFileData, checkPointCopy.fullPageWrites),
                          offsetof(ControlFileData, backupEndRequired), offsetof(ControlFileData, wal_log_hints),
                          offsetof(ControlFileData, track_commit_timestamp), offsetof(ControlFileData, float8ByVal)}) {
        ControlFileData data = sample();
        reinterpret_cast<unsigned char *>(&data)[offset] = 0xEE;
        Error error = error_of(image_of(data)); // under a right checksum
        EXPECT_EQ(error.code(), ErrorCode::data_corrupted) << offset;
    }
}

TEST(ControlFile, Size)
{
    std::vector<unsigned char> image = image_of(sample());
    image.pop_back();
    EXPECT_EQ(error_of(image).code(), ErrorCode::data_corrupted);
    EXPECT_EQ(error_of({}).code(), ErrorCode::data_corrupted);
    EXPECT_NE(std::string(error_of({}).what()).find("0 bytes"), std::string::npos);
}

TEST(ControlFile, OtherVersions)
{
    ControlFileData data = sample();
    data.pg_control_version = 1201;
    Error error = error_of(image_of(data));
    EXPECT_EQ(error.code(), ErrorCode::not_supported);
    EXPECT_NE(error.detail().find("PostgreSQL 12"), std::string::npos);

    data.pg_control_version = __builtin_bswap32(PG_CONTROL_VERSION);
    EXPECT_NE(std::string(error_of(image_of(data)).what()).find("byte order"), std::string::npos);

    data = sample();
    data.catalog_version_no--;
    EXPECT_EQ(error_of(image_of(data)).code(), ErrorCode::not_supported);

    data = sample();
    data.xlog_seg_size = 3 * 1024 * 1024;
    EXPECT_EQ(error_of(image_of(data)).code(), ErrorCode::data_corrupted);
}

TEST(CheckCompatible, SameIsFine)
{
    EXPECT_NO_THROW(check_compatible(parsed(sample()), parsed(sample())));
}

TEST(CheckCompatible, OtherSystem)
{
    ControlFileData other = sample();
    other.system_identifier++;
    try {
        check_compatible(parsed(sample()), parsed(other));
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
        EXPECT_NE(error.detail().find("7654321987654321987 on the target, 7654321987654321988 on the source"), std::string::npos);
    }
}

TEST(CheckCompatible, NamesAllThatDiffers)
{
    ControlFileData other = sample();
    other.data_checksum_version = 1;
    other.xlog_seg_size = 64 * 1024 * 1024;
    other.blcksz = 16384;
    try {
        check_compatible(parsed(sample()), parsed(other));
        FAIL();
    } catch (const Error &error) {
        EXPECT_NE(error.detail().find("data checksum version is 0 on the target, 1 on the source"), std::string::npos);
        EXPECT_NE(error.detail().find("WAL segment size is 16777216 on the target, 67108864 on the source"), std::string::npos);
        EXPECT_NE(error.detail().find("data block size"), std::string::npos);
        EXPECT_EQ(error.detail().find("alignment"), std::string::npos);
    }
}

TEST(StandbyControlFile, StartsArchiveRecovery)
{
    ControlFileData data = sample();
    data.state = DB_IN_PRODUCTION;
    std::vector<unsigned char> image = build_standby_control_file(parsed(data), Lsn{0x5000100}, TimelineId{4});
    ControlFile result = parse_control_file(image, "pg_control");
    EXPECT_EQ(result.data.state, DB_IN_ARCHIVE_RECOVERY);
    EXPECT_EQ(result.min_recovery_point().value, 0x5000100u);
    EXPECT_EQ(result.data.minRecoveryPointTLI, 4u);
    EXPECT_EQ(result.timeline().value, 4u);
    EXPECT_GT(result.data.time, 0);
    EXPECT_EQ(result.data.MaxConnections, 100);
    EXPECT_EQ(result.redo().value, 0x3000028u);
}

} // namespace
} // namespace failback
