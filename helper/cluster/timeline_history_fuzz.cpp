// Timeline histories as they come from the source and from the target's pg_wal.
#include "helper/cluster/timeline_history.h"

#include "helper/fuzz.h"

namespace failback {
namespace {

void check(const TimelineHistory &history, TimelineId current)
{
    test::fuzz_expect(history.current() == current, "the history ends with its own timeline");
    for (size_t i = 0; i < history.entries.size(); i++) {
        const TimelineEntry &entry = history.entries[i];
        bool last = i + 1 == history.entries.size();
        test::fuzz_expect(last ? !entry.end.valid() : entry.end >= entry.begin, "an entry does not end before it begins");
        test::fuzz_expect(entry.begin == (i == 0 ? Lsn{} : history.entries[i - 1].end), "entries follow each other");
        history.timeline_at(entry.begin);
    }
}

// Two files, a zero byte between them.
void fuzz(std::span<const unsigned char> bytes)
{
    test::FuzzInput input(bytes);
    TimelineId current{input.take<uint32_t>()};
    std::string both = input.rest();
    size_t split = std::min(both.find('\0'), both.size());
    test::accepts([&] {
        TimelineHistory first = parse_timeline_history(both.substr(0, split), current, "first");
        check(first, current);
        TimelineHistory second = parse_timeline_history(both.substr(std::min(split + 1, both.size())), current, "second");
        check(second, current);
        CommonAncestor common = find_common_ancestor(first, second);
        test::fuzz_expect(first.entries.at(common.target_index).timeline == second.entries.at(common.source_index).timeline,
                          "the common ancestor is one timeline");
    });
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(TimelineHistoryFuzz, failback::fuzz)
