#include "extension/control_image.h"

#include "extension/source_files.h"

namespace failback {

ControlImage ControlImage::read()
{
    constexpr int attempts = 200;
    constexpr long pause = 5000; // microseconds: writing the file takes far less
    const std::string path = "global/pg_control";
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (attempt > 0)
            pg_usleep(pause);
        check_interrupts();
        SourceFile file(path);
        if (!file)
            throw io_error("open file", path, ENOENT);
        ControlImage image;
        image.bytes_.fill(0);
        if (file.read(0, image.bytes_) < sizeof(ControlFileData))
            continue;
        std::memcpy(&image.data_, image.bytes_.data(), sizeof(ControlFileData));
        pg_crc32c crc;
        INIT_CRC32C(crc);
        COMP_CRC32C(crc, image.bytes_.data(), offsetof(ControlFileData, crc));
        FIN_CRC32C(crc);
        if (EQ_CRC32C(crc, image.data_.crc))
            return image;
    }
    throw Error(ErrorCode::data_corrupted, "calculated CRC checksum does not match the value stored in pg_control");
}

} // namespace failback
