#include "helper/phases/make_plan.h"

#include "helper/phases/mounts.h"
#include "helper/plan/room_to_grow.h"
#include "helper/standby/config_policy.h"

namespace failback {

namespace {

ConfigChoice choose(const Context &context, bool configured_elsewhere, std::string_view path, bool on_target, bool on_source,
                    bool identical)
{
    ConfigFileFacts facts;
    facts.path = path;
    // A link to a configuration file elsewhere is in no manifest, but it is the target's configuration.
    facts.on_target = on_target || context.target.exists(path);
    facts.on_source = on_source;
    facts.identical = identical;
    facts.target_configured_elsewhere = configured_elsewhere;
    switch (decide_config_file(context.options.config_files, facts).action) {
    case ConfigFileAction::keep:
        return ConfigChoice::keep;
    case ConfigFileAction::write_beside:
        return ConfigChoice::write_beside;
    case ConfigFileAction::take_source:
        return ConfigChoice::take_source;
    case ConfigFileAction::remove:
        return ConfigChoice::remove;
    }
    return ConfigChoice::keep;
}

} // namespace

Plan make_plan(const Context &context, const Inspection &inspection, const Difference &difference, const Manifests &manifests)
{
    DecideInput input;
    input.source = &manifests.source;
    input.target = &manifests.target;
    input.blocks = &difference.blocks;
    input.block_size = inspection.target_control.data.blcksz;
    input.relation_segment_blocks = inspection.target_control.data.relseg_size;
    input.own_keys = manifests.target_keys;
    input.compressed = context.options.compression != CompressionId::none;
    input.foreign = context.options.config_files == ConfigFiles::source ? ForeignFiles::as_source : ForeignFiles::keep_targets;
    bool elsewhere = manifests.target_configured_elsewhere;
    input.config = [&context, elsewhere](std::string_view path, bool on_target, bool on_source, bool identical) {
        return choose(context, elsewhere, path, on_target, on_source, identical);
    };
    input.source_copy_name = source_copy_name;
    Plan plan = decide(input);
    avoid_renames_between_mounts(context.target, plan.actions);
    plan.growth = leave_room_to_grow(plan.actions);
    for (const std::string &note : plan.notes)
        context.summary.warnings.push_back(note);
    return plan;
}

WalPlanInput wal_plan_input(const Inspection &inspection, const Difference &difference, const Manifests &manifests, Lsn end)
{
    WalPlanInput input;
    input.target = &manifests.target;
    input.source_history = &inspection.source_history;
    input.segment_size = inspection.segment_size;
    input.staged = difference.restored_wal;
    input.start = difference.start.redo;
    input.divergence = difference.divergence;
    input.end = end;
    return input;
}

} // namespace failback
