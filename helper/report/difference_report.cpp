#include "helper/report/difference_report.h"

#include <nlohmann/json.hpp>

namespace failback {

namespace {

using Json = nlohmann::ordered_json;

const char *state_name(FileState state)
{
    switch (state) {
    case FileState::differs: return "differs";
    case FileState::only_on_source: return "only on source";
    case FileState::only_on_target: return "only on target";
    }
    return "";
}

const char *fork_name(ForkKind fork)
{
    switch (fork) {
    case ForkKind::main: return "main";
    case ForkKind::fsm: return "fsm";
    case ForkKind::vm: return "vm";
    case ForkKind::init: return "init";
    }
    return "";
}

// The main forks' files of one relation together.
struct RelationTotal {
    int files = 0;
    int64_t differing_blocks = 0;
    int64_t blocks = 0; // of the files that differ
};

std::map<RelationId, RelationTotal> relation_totals(const ContentDifference &difference)
{
    std::map<RelationId, RelationTotal> totals;
    for (const FileDifference &file : difference.files) {
        if (!file.relation || file.relation->fork != ForkKind::main)
            continue;
        RelationTotal &total = totals[file.relation->relation];
        total.files++;
        total.differing_blocks += file.differing_blocks;
        total.blocks += file.blocks;
    }
    return totals;
}

std::string blocks_text(int64_t differing, int64_t blocks)
{
    return format("%lld of %lld %s", static_cast<long long>(differing), static_cast<long long>(blocks),
                  blocks == 1 ? "block" : "blocks");
}

std::string counted_files(int64_t count, const char *what)
{
    return format("%lld %s%s", static_cast<long long>(count), what, count == 1 ? "" : "s");
}

std::string sizes_text(const FileDifference &file)
{
    switch (file.state) {
    case FileState::only_on_source: return size_text(file.source_size);
    case FileState::only_on_target: return size_text(file.target_size);
    case FileState::differs: break;
    }
    if (file.source_size == file.target_size)
        return size_text(file.source_size);
    return size_text(file.source_size) + " on source, " + size_text(file.target_size) + " on target";
}

std::string relation_text(const DifferenceReport &report, const RelationId &id)
{
    auto found = report.names.find(id);
    if (found == report.names.end())
        return "";
    const NamedRelation &relation = found->second;
    return (relation.database.empty() ? "" : relation.database + ": ") + relation.name + " (" + relation.kind + ")";
}

std::string file_line(const DifferenceReport &report, const FileDifference &file)
{
    std::string line = format("%-14s  %s: ", state_name(file.state), file.path.c_str());
    bool main = file.relation && file.relation->fork == ForkKind::main;
    if (main && file.state == FileState::differs)
        line += blocks_text(file.differing_blocks, file.blocks) + ", ";
    line += sizes_text(file);
    std::string relation = file.relation ? relation_text(report, file.relation->relation) : "";
    if (relation.empty())
        return line + "\n";
    return line + (main ? "; " : format("; %s fork of ", fork_name(file.relation->fork))) + relation + "\n";
}

Json relation_json(const DifferenceReport &report, const RelationId &id)
{
    auto found = report.names.find(id);
    if (found == report.names.end())
        return nullptr;
    const NamedRelation &relation = found->second;
    return {{"database", relation.database.empty() ? Json(nullptr) : Json(relation.database)},
            {"name", relation.name},
            {"kind", relation.kind}};
}

Json file_json(const DifferenceReport &report, const FileDifference &file)
{
    bool main = file.relation && file.relation->fork == ForkKind::main;
    return {{"path", file.path},
            {"state", state_name(file.state)},
            {"source_bytes", file.state == FileState::only_on_target ? Json(nullptr) : Json(file.source_size)},
            {"target_bytes", file.state == FileState::only_on_source ? Json(nullptr) : Json(file.target_size)},
            {"blocks", main ? Json(file.blocks) : Json(nullptr)},
            {"differing_blocks", main ? Json(file.differing_blocks) : Json(nullptr)},
            {"relation", file.relation ? relation_json(report, file.relation->relation) : Json(nullptr)},
            {"fork", file.relation ? Json(fork_name(file.relation->fork)) : Json(nullptr)}};
}

} // namespace

std::string difference_text(const DifferenceReport &report)
{
    const ContentDifference &difference = report.difference;
    std::string text;
    for (const FileDifference &file : difference.files)
        text += file_line(report, file);
    for (const auto &[id, total] : relation_totals(difference)) {
        if (total.files < 2)
            continue;
        std::string name = relation_text(report, id);
        text += format("relation        %s: %s in %d files\n",
                       name.empty() ? format("number %u of database %u", id.number, id.database).c_str() : name.c_str(),
                       blocks_text(total.differing_blocks, total.blocks).c_str(), total.files);
    }
    if (!report.differs())
        return "no differences in " + counted_files(difference.files_compared, "file") + "\n";
    return text + blocks_text(difference.differing_blocks, difference.blocks_compared) + " differ in " +
           counted_files(difference.differing_relation_files, "relation file") + "; " +
           counted_files(difference.differing_other_files, "other file") +
           (difference.differing_other_files == 1 ? " differs; " : " differ; ") +
           counted_files(difference.only_on_source, "file") + " only on the source, " +
           counted_files(difference.only_on_target, "file") + " only on the target\n";
}

std::string difference_json(const DifferenceReport &report)
{
    const ContentDifference &difference = report.difference;
    Json files = Json::array();
    for (const FileDifference &file : difference.files)
        files.push_back(file_json(report, file));
    Json relations = Json::array();
    for (const auto &[id, total] : relation_totals(difference))
        relations.push_back({{"tablespace", id.tablespace},
                             {"database", id.database},
                             {"number", id.number},
                             {"relation", relation_json(report, id)},
                             {"files", total.files},
                             {"blocks", total.blocks},
                             {"differing_blocks", total.differing_blocks}});
    bool failed = !report.error.empty();
    Json json = {
        {"version", 1}, // of this format
        {"command", "diff"},
        {"outcome", failed ? "failed" : "done"},
        {"error", failed ? Json(report.error) : Json(nullptr)},
        {"differs", failed ? Json(nullptr) : Json(report.differs())},
        {"files_compared", difference.files_compared},
        {"blocks_compared", difference.blocks_compared},
        {"differing_blocks", difference.differing_blocks},
        {"differing_relation_files", difference.differing_relation_files},
        {"differing_other_files", difference.differing_other_files},
        {"only_on_source", difference.only_on_source},
        {"only_on_target", difference.only_on_target},
        {"bytes", {{"compared", report.bytes_compared}, {"received", report.bytes_received}}},
        {"seconds", report.seconds},
        {"files", files},
        {"relations", relations},
        {"warnings", report.warnings},
    };
    // Names need not be UTF-8; one that is not must not spoil the report.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace failback
