// What "diff" has found, for people and for programs.
#pragma once

#include "helper/plan/content_difference.h"
#include "helper/report/summary.h"

#include <map>
#include <string>
#include <vector>

namespace failback {

struct NamedRelation {
    std::string database; // empty: shared by all, or not known
    std::string name;     // with its schema
    std::string kind;     // "table", "index", ...
};

struct DifferenceReport {
    ContentDifference difference;
    std::map<RelationId, NamedRelation> names; // as far as they are known
    std::string error;                         // not empty: the comparison failed with this message
    double seconds = 0;
    int64_t bytes_compared = 0;
    int64_t bytes_received = 0; // checksums, on the connections
    std::vector<std::string> warnings;

    bool differs() const { return !difference.files.empty(); }
};

// One line a file that differs, one for each relation that has several of them, and one of totals; for stdout.
std::string difference_text(const DifferenceReport &report);

// One JSON object, ending with a newline; its keys are in doc/pg_failback.1.
std::string difference_json(const DifferenceReport &report);

} // namespace failback
