#include "helper/cluster/timeline_history.h"

#include "common/path_text.h"

#include <algorithm>
#include <charconv>

namespace failback {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

std::string_view skip_blanks(std::string_view text)
{
    size_t start = text.find_first_not_of(blanks);
    return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

// Takes a number off the front of `text`; false if there is none or it does not fit 32 bits.
bool take_number(std::string_view &text, int base, uint32_t &value)
{
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc())
        return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
}

// "<timeline> <hi>/<lo> [reason]", as the server writes and reads it.
bool parse_switch(std::string_view line, TimelineId &timeline, Lsn &end)
{
    uint32_t high = 0, low = 0;
    if (!take_number(line, 10, timeline.value))
        return false;
    std::string_view position = skip_blanks(line);
    if (position.size() == line.size() || !take_number(position, 16, high) || !position.starts_with('/'))
        return false;
    position.remove_prefix(1);
    if (!take_number(position, 16, low) || (!position.empty() && blanks.find(position.front()) == blanks.npos))
        return false;
    end = Lsn{(uint64_t{high} << 32) | low};
    return true;
}

[[noreturn]] void bad_line(std::string_view name, int number, std::string_view line, const char *why)
{
    throw Error(ErrorCode::data_corrupted,
                format("invalid line %d in timeline history file \"%s\": %s", number, std::string(name).c_str(), why),
                format("The line is \"%s\".", shown_path(line.substr(0, 200)).c_str()));
}

// 0 stands for "still growing": later than every position.
Lsn earlier_end(Lsn a, Lsn b)
{
    if (!a.valid())
        return b;
    if (!b.valid())
        return a;
    return a < b ? a : b;
}

} // namespace

TimelineId TimelineHistory::timeline_at(Lsn lsn) const
{
    auto found = std::partition_point(entries.begin(), entries.end(),
                                      [&](const TimelineEntry &entry) { return entry.end.valid() && entry.end <= lsn; });
    return found != entries.end() ? found->timeline : current();
}

TimelineHistory parse_timeline_history(std::string_view text, TimelineId current, std::string_view name)
{
    TimelineHistory history;
    Lsn begin;
    for (int number = 1; !text.empty(); number++) {
        size_t newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == text.npos ? text.size() : newline + 1);

        std::string_view content = skip_blanks(line);
        if (content.empty() || content.starts_with('#'))
            continue;
        TimelineId timeline;
        Lsn end;
        if (!parse_switch(content, timeline, end))
            bad_line(name, number, line, "expected a timeline number and a WAL position");
        if (!timeline.valid() || (!history.entries.empty() && timeline <= history.entries.back().timeline))
            bad_line(name, number, line, "timelines must increase");
        if (timeline >= current)
            bad_line(name, number, line, format("timelines must be less than the file's own, %u", current.value).c_str());
        if (!end.valid() || end < begin)
            bad_line(name, number, line, "WAL positions must not go back");
        history.entries.push_back({timeline, begin, end});
        begin = end;
    }
    if (history.entries.empty() && current.value != 1)
        throw Error(ErrorCode::data_corrupted,
                    format("timeline history file \"%s\" has no entries", std::string(name).c_str()),
                    "Only timeline 1 has no history.");
    history.entries.push_back({current, begin, Lsn{}});
    return history;
}

std::string history_file_path(TimelineId timeline)
{
    return format("pg_wal/%08X.history", timeline.value);
}

CommonAncestor find_common_ancestor(const TimelineHistory &target, const TimelineHistory &source)
{
    size_t common = 0;
    while (common < target.entries.size() && common < source.entries.size()
           && target.entries[common].timeline == source.entries[common].timeline
           && target.entries[common].begin == source.entries[common].begin)
        common++;
    if (common == 0)
        throw Error(ErrorCode::wrong_state, "could not find common ancestor of the source and target cluster's timelines",
                    format("The target's history starts with timeline %u, the source's with timeline %u.",
                           target.entries.front().timeline.value, source.entries.front().timeline.value));
    common--;
    return {common, common, earlier_end(target.entries[common].end, source.entries[common].end)};
}

} // namespace failback
