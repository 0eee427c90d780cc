// pg_control as it comes from the source, or from a damaged target.
#include "helper/cluster/control_file.h"

#include "helper/fuzz.h"

#include <cstddef>
#include <cstring>

extern "C" {
#include "catalog/catversion.h"
#include "port/pg_crc32c.h"
}

namespace failback {
namespace {

void seal(std::vector<unsigned char> &image)
{
    pg_crc32c crc;
    INIT_CRC32C(crc);
    COMP_CRC32C(crc, image.data(), offsetof(ControlFileData, crc));
    FIN_CRC32C(crc);
    std::memcpy(&image[offsetof(ControlFileData, crc)], &crc, sizeof(crc));
}

template <class Field> void put(std::vector<unsigned char> &image, size_t offset, Field value)
{
    std::memcpy(&image[offset], &value, sizeof(value));
}

void fuzz(std::span<const unsigned char> bytes)
{
    test::FuzzInput input(bytes);
    uint8_t repairs = input.take();
    std::string content = input.rest();
    std::vector<unsigned char> image(content.begin(), content.end());
    if (repairs & 1)
        image.resize(PG_CONTROL_FILE_SIZE);
    if (image.size() == PG_CONTROL_FILE_SIZE && (repairs & 2)) {
        put<uint32_t>(image, offsetof(ControlFileData, pg_control_version), PG_CONTROL_VERSION);
        put<uint32_t>(image, offsetof(ControlFileData, catalog_version_no), CATALOG_VERSION_NO);
    }
    if (image.size() == PG_CONTROL_FILE_SIZE && (repairs & 4))
        put<uint32_t>(image, offsetof(ControlFileData, xlog_seg_size), 16 * 1024 * 1024);
    if (image.size() == PG_CONTROL_FILE_SIZE && (repairs & 8))
        seal(image);
    test::accepts([&] {
        ControlFile control = parse_control_file(image, "image");
        test::fuzz_expect(control.state_name()[0] != '\0', "every state has a name");
        control.cleanly_shut_down();
        test::accepts([&] {
            ControlFile other = control;
            for (size_t at = offsetof(ControlFileData, pg_control_version); at < offsetof(ControlFileData, crc); at += 4)
                reinterpret_cast<unsigned char *>(&other.data)[at] ^= 1;
            check_compatible(control, other);
        });
        auto standby = build_standby_control_file(control, Lsn{input.take<uint64_t>()}, control.timeline());
        ControlFile again = parse_control_file(standby, "standby");
        test::fuzz_expect(!again.cleanly_shut_down(), "a new standby is in recovery");
        check_compatible(control, again);
    });
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(ControlFileFuzz, failback::fuzz)
