// Whatever a control file names: the label we write is read back by the server as what it says. The server's way of reading
// is that of read_backup_label() in xlogrecovery.c, whose formats of fscanf are the file's definition.
#include "helper/cluster/backup_label.h"

#include "helper/fuzz.h"

#include <cstdio>

namespace failback {
namespace {

// One line of the label, without its end.
std::string take_line(std::string &text)
{
    size_t end = text.find('\n');
    test::fuzz_expect(end != std::string::npos, "every line has an end");
    std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    return line;
}

uint64_t joined(unsigned high, unsigned low) { return uint64_t{high} << 32 | low; }

void fuzz(std::span<const unsigned char> bytes)
{
    test::FuzzInput input(bytes);
    uint32_t segment_size = uint32_t{1} << (20 + input.take() % 11); // 1 MB to 1 GB
    BackupLabel label;
    label.timeline = TimelineId{input.take<uint32_t>()};
    label.redo = Lsn{input.take<uint64_t>()};
    label.checkpoint = Lsn{input.take<uint64_t>()};
    label.start_time = input.take<int64_t>();
    std::string text = backup_label_text(label, segment_size);

    unsigned high = 0, low = 0, file_timeline = 0, timeline = 0;
    char file[20], word[20], rest[1024], end = 0;
    std::string line = take_line(text) + "\n";
    int fields = std::sscanf(line.c_str(), "START WAL LOCATION: %X/%X (file %08X%16s)%c", &high, &low, &file_timeline, file, &end);
    test::fuzz_expect(fields == 5 && end == '\n', "the server reads where recovery starts");
    test::fuzz_expect(joined(high, low) == label.redo.value, "and it is the redo location");
    test::fuzz_expect(file_timeline == label.timeline.value, "the segment is one of the timeline");
    uint64_t segments = (uint64_t{1} << 32) / segment_size;
    unsigned file_high = 0, file_low = 0;
    test::fuzz_expect(std::sscanf(file, "%8X%8X", &file_high, &file_low) == 2, "the segment has a number");
    test::fuzz_expect(file_high * segments + file_low == label.redo.value / segment_size, "which is that of the redo location");

    line = take_line(text) + "\n";
    fields = std::sscanf(line.c_str(), "CHECKPOINT LOCATION: %X/%X%c", &high, &low, &end);
    test::fuzz_expect(fields == 3 && end == '\n', "the server reads where the checkpoint is");
    test::fuzz_expect(joined(high, low) == label.checkpoint.value, "and it is that of the label");
    test::fuzz_expect(std::sscanf(take_line(text).c_str(), "BACKUP METHOD: %19s", word) == 1 && std::string(word) != "streamed",
                      "no end of a backup is waited for");
    test::fuzz_expect(std::sscanf(take_line(text).c_str(), "BACKUP FROM: %19s", word) == 1 && std::string(word) == "standby",
                      "the end is pg_control's minRecoveryPoint");
    test::fuzz_expect(std::sscanf(take_line(text).c_str(), "START TIME: %127[^\n]", rest) == 1, "there is a time");
    test::fuzz_expect(std::sscanf(take_line(text).c_str(), "LABEL: %1023[^\n]", rest) == 1, "there is a label");
    test::fuzz_expect(std::sscanf(take_line(text).c_str(), "START TIMELINE: %u", &timeline) == 1 && timeline == label.timeline.value,
                      "the timeline is the file's");
    test::fuzz_expect(text.empty(), "there is no other line");
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(BackupLabelFuzz, failback::fuzz)
