// Parts of a file that can be taken and given back. Pure.
#pragma once

#include "helper/plan/plan.h"

#include <cstdint>
#include <map>
#include <vector>

namespace failback {

class ExtentSet {
public:
    ExtentSet() = default;
    // Not overlapping each other.
    explicit ExtentSet(const std::vector<Extent> &extents);

    // Takes out what is both in the set and in `part`, and returns it, ascending.
    std::vector<Extent> take(const Extent &part);
    // Puts in what is not in the set.
    void put(const Extent &part);
    // Ascending; adjacent ones are one.
    std::vector<Extent> extents() const;

private:
    std::map<int64_t, int64_t> ends_; // by beginning, bytes
};

} // namespace failback
