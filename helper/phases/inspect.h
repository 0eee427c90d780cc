// Phase "inspect": both clusters' control data and timelines. Nothing is changed.
#pragma once

#include "helper/cluster/control_file.h"
#include "helper/cluster/timeline_history.h"
#include "helper/phases/context.h"
#include "helper/source/source.h"

namespace failback {

struct Inspection {
    ControlFile target_control;
    ControlFile source_control; // as it was at the start
    SourceState source_state;
    TimelineHistory target_history;
    std::string target_history_problem; // not empty: why target_history could not be read (and is empty)
    TimelineHistory source_history;
    uint32_t segment_size = 0; // WAL, bytes
};

// Throws Error(wrong_state) if a server uses the target.
void check_not_running(const Context &context);

// Throws Error(wrong_state) unless the file at `path` is still the pg_control that was read when the run began: a server that
// was started on the target meanwhile, and stopped again, has changed what the plan does not know of.
void check_control_unchanged(const Context &context, const ControlFile &inspected, const char *path);

// The target's own control file; checks that no server uses the directory. Throws Error(wrong_state).
ControlFile inspect_target(const Context &context);

// Without the timelines: enough to compare contents. Throws Error(wrong_state) for different systems or formats.
Inspection inspect_formats(ControlFile target_control, Source &source);

// Throws Error(wrong_state) for pairs of servers that no failback is possible between.
Inspection inspect(const Context &context, ControlFile target_control, Source &source);

} // namespace failback
