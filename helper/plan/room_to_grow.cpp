#include "helper/plan/room_to_grow.h"

#include "common/error.h"
#include "common/path_rules.h"

#include <algorithm>

namespace failback {

namespace {

constexpr int64_t least_room = 64 * 1024;
// The file of replication origins is replaced at each checkpoint, and a server that finds a part of it does not start; a file of
// pg_twophase has its name before its content. Pages that are added to SLRUs come back with WAL, and the maps have one size.
bool may_grow(std::string_view path)
{
    return classify_path(path) == PathClass::configuration || path == "pg_logical/replorigin_checkpoint" || path.starts_with("pg_twophase/");
}

} // namespace

std::vector<GrowthLimit> leave_room_to_grow(std::vector<FileAction> &actions)
{
    std::vector<GrowthLimit> limits;
    for (size_t i = 0; i < actions.size(); i++) {
        FileAction &action = actions[i];
        if (action.kind != FileActionKind::replace || !may_grow(action.read_from()))
            continue;
        action.size += std::max(action.size, least_room);
        action.fetch.assign(1, {0, action.size});
        limits.push_back({i, action.size});
    }
    return limits;
}

void check_room_to_grow(const std::vector<FileAction> &actions, const std::vector<GrowthLimit> &limits)
{
    for (const GrowthLimit &limit : limits) {
        const FileAction &action = actions[limit.action];
        if (action.kind == FileActionKind::replace && action.size >= limit.size)
            throw Error(ErrorCode::wrong_state,
                        format("file \"%s\" of the source grew while it was being copied", action.read_from().c_str()),
                        "", "The target is unchanged. Run the command again.");
    }
}

} // namespace failback
