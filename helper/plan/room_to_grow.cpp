#include "helper/plan/room_to_grow.h"

#include "common/error.h"
#include "common/path_rules.h"
#include "common/path_text.h"

#include <algorithm>

namespace failback {

namespace {

constexpr int64_t least_room = 64 * 1024;
// Of files that are not configuration; a longer one is hardly a server's.
constexpr int64_t most_without_wal = 1024 * 1024;

// pg_logical/replorigin_checkpoint is replaced at each checkpoint, and a server that finds a part of it does not start; a file of
// pg_twophase has its name before its content. Pages that are added to SLRUs come back with WAL, and the maps have one size.
bool may_grow(const FileAction &action)
{
    std::string_view path = action.read_from();
    switch (classify_path(path)) {
    case PathClass::configuration:
        return true;
    case PathClass::other:
        return action.size <= most_without_wal && !path.starts_with("pg_xact/") && !path.starts_with("pg_multixact/") &&
               !path.starts_with("pg_commit_ts/") && last_part(path) != "pg_filenode.map" && last_part(path) != "PG_VERSION";
    default:
        return false;
    }
}

} // namespace

std::vector<GrowthLimit> leave_room_to_grow(std::vector<FileAction> &actions)
{
    std::vector<GrowthLimit> limits;
    for (size_t i = 0; i < actions.size(); i++) {
        FileAction &action = actions[i];
        if (action.kind != FileActionKind::replace || !may_grow(action))
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
