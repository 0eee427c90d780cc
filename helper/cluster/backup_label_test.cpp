#include "helper/cluster/backup_label.h"

#include <gtest/gtest.h>

namespace failback {
namespace {

TEST(BackupLabel, Text)
{
    BackupLabel label{Lsn{0x103000028}, Lsn{0x103000060}, TimelineId{11}, 1700000000};
    EXPECT_EQ(backup_label_text(label, 16 * 1024 * 1024),
              "START WAL LOCATION: 1/3000028 (file 0000000B0000000100000003)\n"
              "CHECKPOINT LOCATION: 1/3000060\n"
              "BACKUP METHOD: pg_failback\n"
              "BACKUP FROM: standby\n"
              "START TIME: 2023-11-14 22:13:20 UTC\n"
              "LABEL: pg_failback\n"
              "START TIMELINE: 11\n");
}

TEST(BackupLabel, SegmentSizeCounts)
{
    BackupLabel label{Lsn{0x103000028}, Lsn{0x103000060}, TimelineId{1}, 0};
    EXPECT_NE(backup_label_text(label, 1024 * 1024).find("(file 000000010000000100000030)"), std::string::npos);
    EXPECT_NE(backup_label_text(label, 1024 * 1024 * 1024).find("(file 000000010000000100000000)"), std::string::npos);
}

} // namespace
} // namespace failback
