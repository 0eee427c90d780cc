#include "helper/phases/inspect.h"

#include "helper/cluster/running_server.h"

#include <algorithm>

namespace failback {

namespace {

TimelineHistory read_target_history(const TargetDirectory &target, TimelineId timeline)
{
    std::string path = history_file_path(timeline);
    auto content = target.read_file(path, max_history_bytes);
    if (!content && timeline.value != 1)
        throw Error(ErrorCode::undefined_file, format("timeline history file \"%s\" does not exist", target.absolute(path).c_str()),
                    format("It belongs to the target's timeline %u.", timeline.value));
    std::string_view text;
    if (content)
        text = {reinterpret_cast<const char *>(content->data()), content->size()};
    return parse_timeline_history(text, timeline, target.absolute(path));
}

void check_source(const SourceState &state)
{
    if (state.wal_level == "minimal")
        throw Error(ErrorCode::wrong_state, "wal_level is \"minimal\" on the source: it can have no standby", "",
                    "Set wal_level to \"replica\" on the source and restart it.");
}

} // namespace

void check_not_running(const Context &context)
{
    const TargetDirectory &target = context.target;
    if (auto server = find_running_server(target.path()))
        throw Error(ErrorCode::wrong_state, format("target server must be shut down: %s is using \"%s\"", server->c_str(), target.path().c_str()),
                    "", "Stop it, for example with \"pg_ctl stop\".");
}

void check_control_unchanged(const Context &context, const ControlFile &inspected, const char *path)
{
    auto now = context.target.read_file(path, max_control_bytes);
    if (!now || !std::ranges::equal(*now, inspected.image))
        throw Error(ErrorCode::wrong_state, "a server has been started on the target since this run began",
                    format("\"%s\" has changed.", context.target.absolute(control_file_path).c_str()),
                    "Nothing was changed by this run. Make sure that the server stays down, and run the command again.");
}

ControlFile inspect_target(const Context &context)
{
    check_not_running(context);
    const TargetDirectory &target = context.target;
    auto bytes = target.read_file(control_file_path, max_control_bytes);
    if (!bytes)
        throw Error(ErrorCode::undefined_file, format("\"%s\" does not exist", target.absolute(control_file_path).c_str()),
                    "", "The target must be the data directory of a PostgreSQL server.");
    return parse_control_file(*bytes, target.absolute(control_file_path));
}

Inspection inspect_formats(ControlFile target_control, Source &source)
{
    Inspection inspection;
    inspection.target_control = std::move(target_control);
    inspection.source_state = source.state();
    inspection.source_control = parse_control_file(inspection.source_state.control_file, "pg_control of the source");
    check_compatible(inspection.target_control, inspection.source_control);
    inspection.segment_size = inspection.target_control.data.xlog_seg_size;
    return inspection;
}

Inspection inspect(const Context &context, ControlFile target_control, Source &source)
{
    Inspection inspection = inspect_formats(std::move(target_control), source);
    check_source(inspection.source_state);
    try {
        inspection.target_history = read_target_history(context.target, inspection.target_control.timeline());
    } catch (const Error &error) {
        inspection.target_history_problem = error.what();
    }
    inspection.source_history = parse_timeline_history(inspection.source_state.history, inspection.source_state.timeline,
                                                       "timeline history of the source");
    context.summary.source_timeline = inspection.source_state.timeline;
    return inspection;
}

} // namespace failback
