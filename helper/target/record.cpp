#include "helper/target/record.h"

#include "common/path_rules.h"
#include "helper/target/redo_file.h"
#include "helper/target/staged_plan.h"

namespace failback {

namespace {

constexpr const char *record_directory = "pg_failback.record";
constexpr const char *record_pieces_path = "pg_failback.record/pieces";

} // namespace

void write_record(const TargetDirectory &target, const StagedPlan &plan, bool sync)
{
    target.remove_file(record_plan_path); // it names other pieces
    target.make_directory(record_directory);
    RedoWriter pieces(target, record_pieces_path);
    for (const StagedRedo &redo : plan.redo_files)
        read_redo_file(target, redo.path, redo.length, [&](const RedoRecord &record) {
            pieces.append({record.pieces, content_elsewhere, 0, {}});
        });
    if (sync)
        pieces.sync();
    StagedPlan record;
    record.actions = plan.actions;
    // Settings are there to be edited, and -R has written to some after they arrived. The numbers have to stay.
    for (FileAction &action : record.actions)
        if (classify_path(action.path) == PathClass::configuration)
            action.kind = FileActionKind::remove;
    record.redo_files = {{record_pieces_path, pieces.length()}};
    // Settings may hold a password.
    for (const LocalFile &file : plan.local_files)
        if (file.path == "backup_label")
            record.local_files.push_back(file);
    record.control_file = plan.control_file;
    record.recovery_start = plan.recovery_start;
    target.write_file(record_plan_path, encode_staged_plan(record), sync);
    if (sync) {
        target.sync(record_directory);
        target.sync_parent(record_directory);
    }
}

void remove_record(const TargetDirectory &target)
{
    target.remove_file(record_plan_path);
    target.remove_file(record_pieces_path);
    target.remove_directory(record_directory);
}

std::optional<StagedPlan> read_record(const TargetDirectory &target)
{
    auto bytes = target.read_file(record_plan_path, max_plan_bytes);
    if (!bytes)
        return std::nullopt;
    return decode_staged_plan(*bytes, target.absolute(record_plan_path));
}

} // namespace failback
