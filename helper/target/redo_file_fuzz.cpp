// Redo files, read back and applied after a restart from a disk that may have damaged them.
#include "helper/target/apply.h"

#include "common/checksum.h"
#include "common/test_directory.h"
#include "helper/fuzz.h"
#include "helper/target/byte_codec.h"
#include "helper/target/redo_file.h"

namespace failback {
namespace {

// One record as the redo file has it, of fields that may contradict each other.
void append_record(test::FuzzInput &input, std::vector<unsigned char> &file)
{
    std::vector<unsigned char> record;
    ByteWriter out(record);
    uint8_t piece_count = input.take() % 8;
    auto raw_size = input.take<uint16_t>();
    bool consistent = input.flag();
    out.integer<uint32_t>(0x32524650);
    out.integer<uint32_t>(piece_count);
    out.integer<int16_t>(static_cast<int16_t>(input.take() % 5 - 1));
    out.integer<uint32_t>(raw_size);
    size_t stored_at = record.size();
    out.integer<uint32_t>(0);
    int64_t left = raw_size;
    for (int i = 1; i <= piece_count; i++) {
        int64_t length = i == piece_count && consistent ? left : input.take<int16_t>();
        left -= length;
        out.integer<uint32_t>(input.take() % 5);
        out.integer<int64_t>(input.flag() ? input.take<int64_t>() : input.take<uint16_t>());
        out.integer<int64_t>(length);
        out.bytes(std::vector<unsigned char>(16, piece_count));
    }
    std::string payload = input.text(consistent ? raw_size : input.take<uint16_t>());
    if (consistent && input.flag())
        payload.resize(raw_size);
    for (size_t i = 0; i < 4; i++)
        record[stored_at + i] = static_cast<unsigned char>(payload.size() >> (8 * i));
    out.bytes(test::bytes_view(payload));
    if (!input.empty())
        out.bytes(default_checksum_algorithm().compute(record).bytes);
    file.insert(file.end(), record.begin(), record.end());
}

// The plan that the records belong to.
StagedPlan make_plan(int64_t length)
{
    StagedPlan plan;
    FileAction action;
    action.kind = FileActionKind::patch;
    action.path = "patched";
    action.size = 8192;
    plan.actions.push_back(action);
    action.kind = FileActionKind::replace;
    action.path = "replaced";
    plan.actions.push_back(action);
    action.kind = FileActionKind::remove;
    action.path = "removed";
    plan.actions.push_back(action);
    plan.redo_files.push_back({"redo", length});
    return plan;
}

void fuzz(std::span<const unsigned char> bytes)
{
    static test::TestDirectory files;
    static TargetDirectory target(files.path(), TargetDirectory::Access::read_write);
    test::FuzzInput input(bytes);
    std::vector<unsigned char> file;
    if (input.take() % 4 == 0) {
        std::string raw = input.rest();
        file.assign(raw.begin(), raw.end());
    } else {
        for (int records = 0; records < 8 && !input.empty(); records++)
            append_record(input, file);
    }
    files.write("redo", {file.begin(), file.end()});
    files.write("patched", "");
    test::accepts([&] {
        apply(target, make_plan(static_cast<int64_t>(file.size())), {.sync = SyncKind::none, .threads = 1, .progress = {}});
        test::fuzz_expect(std::filesystem::file_size(files / "patched") == 8192, "a file gets its final size");
    });
    test::accepts([&] {
        read_redo_file(target, "redo", static_cast<int64_t>(file.size()), [](const RedoRecord &record) {
            int64_t sum = 0;
            for (const RedoPiece &piece : record.pieces)
                sum += record.compression == content_elsewhere ? 0 : piece.length;
            test::fuzz_expect(record.compression == content_elsewhere ? record.payload.empty() : sum == record.raw_size, "the pieces of a record add up to its content");
            test::fuzz_expect(record.compression != 0 || record.payload.size() == record.raw_size,
                              "what is not compressed has the size announced");
        });
    });
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(RedoFileFuzz, failback::fuzz)
