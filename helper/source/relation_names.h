// Which table or index a relation file belongs to, by the source's catalogs. For reports only.
#pragma once

#include "common/path_rules.h"
#include "helper/source/connection.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace failback {

struct RelationName {
    std::string database; // empty for one that all databases share
    std::string name;     // with its schema, quoted where SQL asks for it
    std::string kind;     // "table", "index", "TOAST table of public.t", ...
};

using RelationNames = std::map<RelationId, RelationName>;

// Connects to every database that `wanted` has relations of, one after another. One that cannot be connected to gets a
// line in `notes`. What the source has no name for is not in the result. Throws Error(cancelled), Error(connection_failure)
// only for `connection`.
RelationNames read_relation_names(Connection &connection, const ConnectionOptions &options, const std::set<RelationId> &wanted,
                                  std::vector<std::string> &notes);

} // namespace failback
