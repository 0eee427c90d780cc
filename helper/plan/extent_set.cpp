#include "helper/plan/extent_set.h"

#include <algorithm>
#include <iterator>

namespace failback {

ExtentSet::ExtentSet(const std::vector<Extent> &extents)
{
    for (const Extent &extent : extents)
        put(extent);
}

std::vector<Extent> ExtentSet::take(const Extent &part)
{
    std::vector<Extent> taken;
    const int64_t end = part.offset + part.length;
    auto entry = ends_.upper_bound(part.offset);
    if (entry != ends_.begin() && std::prev(entry)->second > part.offset)
        --entry;
    while (entry != ends_.end() && entry->first < end) {
        auto [from, to] = *entry;
        entry = ends_.erase(entry);
        int64_t first = std::max(from, part.offset), last = std::min(to, end);
        if (first < last)
            taken.push_back({first, last - first});
        if (from < part.offset)
            ends_.emplace(from, part.offset);
        if (to > end)
            ends_.emplace(end, to);
    }
    return taken;
}

void ExtentSet::put(const Extent &part)
{
    if (part.length > 0)
        ends_.emplace(part.offset, part.offset + part.length);
}

std::vector<Extent> ExtentSet::extents() const
{
    std::vector<Extent> all;
    for (auto [from, to] : ends_) {
        if (!all.empty() && all.back().offset + all.back().length == from)
            all.back().length += to - from;
        else
            all.push_back({from, to - from});
    }
    return all;
}

} // namespace failback
