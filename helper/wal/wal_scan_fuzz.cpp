// WAL of the target, which may be damaged anywhere. The input is a small program that writes WAL: records with any content
// under a right checksum, and then damage to any byte.
#include "helper/wal/wal_scan.h"

#include "helper/fuzz.h"
#include "helper/wal/test_wal.h"
#include "helper/wal/wal_reader.h"

#include <algorithm>

namespace failback {
namespace {

using test::FuzzInput;
using test::TestBlock;
using test::TestRecord;
using test::TestWal;

constexpr Lsn wal_start{0x1000000};
constexpr uint32_t page_size = 1024;
constexpr uint32_t segment_size = 8 * page_size;

TestRecord take_header(FuzzInput &input)
{
    TestRecord record;
    record.resource_manager = input.take();
    record.info = input.take();
    return record;
}

TestRecord take_record(FuzzInput &input)
{
    TestRecord record = take_header(input);
    for (int count = input.take() % 4; count > 0; count--) {
        TestBlock block;
        block.relation.number = input.take();
        block.block = input.take<uint32_t>();
        block.fork = static_cast<ForkKind>(input.take() % 4);
        block.image_bytes = input.take() * 8;
        block.data_bytes = input.take();
        block.same_relation = !record.blocks.empty() && input.flag();
        record.blocks.push_back(block);
    }
    record.main_data = input.text(input.take());
    return record;
}

// Somewhere in what was written, a little before and after it.
Lsn take_position(FuzzInput &input, const TestWal &wal)
{
    uint64_t written = wal.end().value - wal_start.value + 64;
    return wal_start + input.take<uint32_t>() % written;
}

void damage(FuzzInput &input, TestWal &wal)
{
    Lsn at = take_position(input, wal);
    std::string bytes = input.text(input.take() % 32);
    bytes.resize(std::min<size_t>(bytes.size(), segment_size - at.value % segment_size));
    wal.put(at, bytes.data(), bytes.size());
}

void write_some(FuzzInput &input, TestWal &wal)
{
    switch (input.take() % 12) {
    case 0:
    case 1: {
        TestRecord header = take_header(input);
        wal.append_raw(header, input.text(input.take()));
        break;
    }
    case 2:
    case 3:
        wal.append(take_record(input));
        break;
    case 4:
        wal.append_sized(40 + input.take<uint16_t>() % (2 * segment_size));
        break;
    case 5:
        wal.append_switch();
        break;
    case 6:
        wal.append_checkpoint(input.flag() ? Lsn{} : wal.last(), input.flag(), input.flag());
        break;
    case 7: {
        Lsn torn = wal.append_torn(page_size);
        if (input.flag())
            wal.append_overwrite(input.flag() ? torn : wal.last());
        break;
    }
    case 8:
        if (wal.history().entries.size() < 4)
            wal.begin_timeline(wal.history().current().value + 1);
        break;
    case 9:
        wal.set_previous(input.flag() ? take_position(input, wal) : Lsn{input.take()});
        break;
    case 10:
        // To where the next record's header, or the record before, ends at the page.
        wal.append_sized(std::max(40u, wal.room_in_page() - std::min<uint32_t>(wal.room_in_page(), input.take() % 64)));
        break;
    case 11:
        damage(input, wal);
        break;
    }
}

void scan(FuzzInput &input, TestWal &wal)
{
    WalScanOptions options;
    options.history = &wal.history();
    options.segment_size = wal.segment_size();
    options.system_identifier = TestWal::system_identifier;
    options.start = input.flag() ? wal_start : take_position(input, wal);
    options.full_page_writes_at_start = input.flag();
    options.divergence = take_position(input, wal);
    if (input.flag())
        options.known_end = input.flag() ? wal.end() : take_position(input, wal);
    if (input.flag())
        options.at_least = take_position(input, wal);
    PresentSegments present;
    for (uint64_t segment = wal_start.value / wal.segment_size(); segment <= wal.end().value / wal.segment_size() + 1; segment++)
        for (const TimelineEntry &entry : wal.history().entries)
            present.names.insert(wal_segment_name(entry.timeline, segment, wal.segment_size()));
    present.read_start = [&wal](const std::string &name, std::span<unsigned char> start) {
        auto segment = wal.open(TimelineId{static_cast<uint32_t>(std::stoul(name.substr(0, 8), nullptr, 16))},
                                std::stoul(name.substr(16), nullptr, 16));
        if (segment)
            std::ranges::copy(segment->bytes(0, start.size()), start.begin());
        return segment != nullptr;
    };
    if (input.flag())
        options.present = &present;
    test::accepts([&] {
        WalScanResult result = scan_wal(wal, options);
        test::fuzz_expect(result.end_of_wal > options.start, "WAL ends after where it was read from");
        test::fuzz_expect(!options.known_end.valid() || result.end_of_wal + 64 >= options.known_end, "a known end is reached");
        uint64_t blocks = 0;
        std::vector<RelationId> relations = result.blocks.relations();
        for (const RelationId &relation : relations) {
            result.blocks.replace_whole(relation);
            uint64_t end = 0;
            for (const BlockRun &run : result.blocks.runs(relation, 0, UINT32_MAX)) {
                test::fuzz_expect(run.count > 0 && (end == 0 || run.first > end), "runs ascend and do not touch");
                end = uint64_t{run.first} + run.count;
                blocks += run.count;
            }
        }
        // The number UINT32_MAX is no block's, and not in the range asked for.
        test::fuzz_expect(blocks + relations.size() >= result.blocks.block_count(), "every block added is in a run");
    });
}

void fuzz(std::span<const unsigned char> bytes)
{
    FuzzInput input(bytes);
    TestWal wal(segment_size, page_size, wal_start);
    size_t last_steps = 1 + input.take() % 4;
    for (int steps = 0; steps < 100 && !input.empty(); steps++)
        write_some(input, wal);
    // The questions use the input's end, so that a longer program does not change them.
    FuzzInput questions(bytes.last(std::min<size_t>(bytes.size(), 64)));
    for (; last_steps > 0; last_steps--)
        damage(questions, wal);
    scan(questions, wal);
    test::accepts([&] {
        Lsn before = questions.flag() ? wal.end() : take_position(questions, wal);
        Checkpoint found = find_last_checkpoint(wal, wal.history(), segment_size, TestWal::system_identifier, before);
        test::fuzz_expect(found.record < before, "the checkpoint found starts before");
    });
    test::accepts([&] {
        WalReader reader(wal, {&wal.history(), segment_size, TestWal::system_identifier});
        reader.seek_page(take_position(questions, wal));
        WalRecord record;
        DecodedRecord decoded;
        while (reader.next(record))
            test::accepts([&] { decode_record(record, decoded); });
    });
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(WalScanFuzz, failback::fuzz)
