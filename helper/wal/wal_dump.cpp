// Prints WAL as our reader sees it, to be compared with pg_waldump. For tests and measurements; not installed.
//
//   wal_dump --path=DIR --system-identifier=N --segment-size=BYTES [--timeline=T[@LSN]]... --start=LSN [--end=LSN]
//            [--quiet | --scan=DIVERGENCE]
//   wal_dump ... --checkpoint-before=LSN
//
// --timeline is given once for each timeline of the history, oldest first, with the LSN where it begins. The
// start of a page stands for the first record that starts in it or later. Where WAL ends goes to stderr.
#include "helper/wal/wal_reader.h"
#include "helper/wal/wal_scan.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

using namespace failback;

namespace {

Lsn parse_lsn(const char *text)
{
    uint32_t high, low;
    if (std::sscanf(text, "%" SCNx32 "/%" SCNx32, &high, &low) != 2)
        throw Error(ErrorCode::invalid_parameter, format("invalid LSN \"%s\"", text));
    return Lsn{uint64_t{high} << 32 | low};
}

struct Arguments {
    std::string path;
    TimelineHistory history;
    uint64_t system_identifier = 0;
    uint32_t segment_size = 0;
    Lsn start, end, divergence, checkpoint_before;
    bool quiet = false, scan = false;
};

void add_timeline(TimelineHistory &history, const char *text)
{
    const char *at = std::strchr(text, '@');
    TimelineEntry entry{TimelineId{static_cast<uint32_t>(std::atoi(text))}, at ? parse_lsn(at + 1) : Lsn{}, Lsn{}};
    if (!history.entries.empty())
        history.entries.back().end = entry.begin;
    history.entries.push_back(entry);
}

Arguments parse_arguments(int argc, char **argv)
{
    Arguments result;
    for (int i = 1; i < argc; ++i) {
        std::string_view argument = argv[i];
        const char *equals = std::strchr(argv[i], '=');
        std::string_view name = argument.substr(0, equals ? equals - argv[i] : argument.size());
        const char *value = equals ? equals + 1 : "";
        if (name == "--path")
            result.path = value;
        else if (name == "--system-identifier")
            result.system_identifier = std::strtoull(value, nullptr, 10);
        else if (name == "--segment-size")
            result.segment_size = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
        else if (name == "--timeline")
            add_timeline(result.history, value);
        else if (name == "--start")
            result.start = parse_lsn(value);
        else if (name == "--end")
            result.end = parse_lsn(value);
        else if (name == "--checkpoint-before")
            result.checkpoint_before = parse_lsn(value);
        else if (name == "--quiet")
            result.quiet = true;
        else if (name == "--scan") {
            result.scan = true;
            result.divergence = parse_lsn(value);
        } else
            throw Error(ErrorCode::invalid_parameter, format("unknown argument \"%s\"", argv[i]));
    }
    if (result.history.entries.empty())
        add_timeline(result.history, "1");
    return result;
}

std::string padded(Lsn lsn)
{
    return format("%X/%08X", static_cast<uint32_t>(lsn.value >> 32), static_cast<uint32_t>(lsn.value));
}

void print_record(const WalRecord &record, const DecodedRecord &decoded)
{
    static const char *const fork_names[] = {"main", "fsm", "vm", "init"};
    std::printf("rmgr: %u len (rec/tot): %u/%u, tx: %u, lsn: %s, prev %s", record.resource_manager,
                record.total_length - decoded.image_bytes, record.total_length, record.xid, padded(record.start).c_str(),
                padded(record.previous).c_str());
    for (const BlockReference &block : decoded.blocks()) {
        std::printf(", blkref #%u: rel %u/%u/%u fork %s blk %u%s", block.id, block.relation.tablespace,
                    block.relation.database, block.relation.number, block.fork < 4 ? fork_names[block.fork] : "?", block.block,
                    !block.has_image ? "" : block.image_applied ? " FPW" : " FPW for WAL verification");
    }
    std::printf("\n");
}

void print_scan(SegmentProvider &segments, const Arguments &arguments)
{
    WalScanOptions options;
    options.history = &arguments.history;
    options.segment_size = arguments.segment_size;
    options.system_identifier = arguments.system_identifier;
    options.start = arguments.start;
    options.divergence = arguments.divergence;
    options.known_end = arguments.end;
    WalScanResult result = scan_wal(segments, options);
    for (const RelationId &relation : result.blocks.relations()) {
        std::printf("rel %u/%u/%u%s:", relation.tablespace, relation.database, relation.number,
                    result.blocks.replace_whole(relation) ? " whole" : "");
        for (const BlockRun &run : result.blocks.runs(relation, 0, UINT32_MAX))
            std::printf(" %u+%u", run.first, run.count);
        std::printf("\n");
    }
    std::printf("end %s, %" PRIu64 " records, %" PRIu64 " blocks, commits %" PRIu64 ", aborts %" PRIu64 ", prepared %" PRIu64
                ", bytes %" PRIu64 "%s%s\n",
                result.end_of_wal.text().c_str(), result.records, result.blocks.block_count(), result.lost.commits,
                result.lost.aborts, result.lost.prepared, result.lost.wal_bytes, result.untrusted ? ", untrusted: " : "",
                result.untrusted ? result.untrusted->c_str() : "");
}

void print_records(SegmentProvider &segments, const Arguments &arguments)
{
    WalReader reader(segments, {&arguments.history, arguments.segment_size, arguments.system_identifier});
    if (arguments.start.value % arguments.segment_size == 0)
        reader.seek_page(arguments.start);
    else
        reader.seek(arguments.start);
    WalRecord record;
    DecodedRecord decoded;
    uint64_t records = 0;
    Lsn end;
    while ((!arguments.end.valid() || reader.position() < arguments.end) && reader.next(record)) {
        ++records;
        end = record.end;
        if (arguments.quiet)
            continue;
        decode_record(record, decoded);
        print_record(record, decoded);
    }
    std::fprintf(stderr, "%" PRIu64 " records to %s: %s\n", records, end.text().c_str(), reader.failure().reason.c_str());
}

} // namespace

int main(int argc, char **argv)
{
    try {
        Arguments arguments = parse_arguments(argc, argv);
        auto segments = make_directory_provider(arguments.path, arguments.segment_size);
        if (arguments.checkpoint_before.valid()) {
            Checkpoint found = find_last_checkpoint(*segments, arguments.history, arguments.segment_size,
                                                    arguments.system_identifier, arguments.checkpoint_before);
            std::printf("checkpoint %s redo %s timeline %u fpw %d shutdown %d\n", found.record.text().c_str(),
                        found.redo.text().c_str(), found.timeline.value, found.full_page_writes, found.shutdown);
        } else if (arguments.scan) {
            print_scan(*segments, arguments);
        } else {
            print_records(*segments, arguments);
        }
        return 0;
    } catch (const Error &error) {
        std::fprintf(stderr, "wal_dump: error: %s\n%s\n", error.what(), error.detail().c_str());
        return 1;
    }
}
