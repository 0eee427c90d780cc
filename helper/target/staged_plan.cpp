#include "helper/target/staged_plan.h"

#include "common/checksum.h"
#include "common/path_text.h"
#include "helper/target/byte_codec.h"

#include <algorithm>

namespace failback {

namespace {

constexpr uint64_t plan_magic = 0x32304e414c504246; // "FBPLAN02"; the last digits are the format's version

Error damaged(const std::string &name)
{
    return {ErrorCode::data_corrupted, format("staged plan \"%s\" is damaged", name.c_str()), "",
            "Its disk cannot be trusted; take a new base backup onto another one."};
}

void write_action(ByteWriter &out, const FileAction &action)
{
    out.integer<uint8_t>(static_cast<uint8_t>(action.kind));
    out.integer<uint8_t>(static_cast<uint8_t>(action.file_kind));
    out.integer<uint8_t>(static_cast<uint8_t>(action.staging));
    out.integer<int64_t>(action.size);
    out.text(action.path);
    out.text(action.link_target);
}

FileAction read_action(ByteReader &in, const std::string &name)
{
    FileAction action;
    auto kind = in.integer<uint8_t>();
    auto file_kind = static_cast<FileKind>(in.integer<uint8_t>());
    auto staging = in.integer<uint8_t>();
    if (kind > static_cast<uint8_t>(FileActionKind::patch) || staging > static_cast<uint8_t>(StagingKind::whole_file) ||
        (file_kind != FileKind::regular && file_kind != FileKind::directory && file_kind != FileKind::symlink))
        throw damaged(name);
    action.kind = static_cast<FileActionKind>(kind);
    action.file_kind = file_kind;
    action.staging = static_cast<StagingKind>(staging);
    action.size = in.integer<int64_t>();
    action.path = in.text();
    action.link_target = in.text();
    check_relative_path(action.path);
    if (action.size < 0)
        throw damaged(name);
    return action;
}

} // namespace

std::vector<unsigned char> encode_staged_plan(const StagedPlan &plan)
{
    std::vector<unsigned char> bytes;
    ByteWriter out(bytes);
    out.integer<uint64_t>(plan_magic);
    out.integer<uint64_t>(plan.actions.size());
    for (const FileAction &action : plan.actions)
        write_action(out, action);
    out.integer<uint64_t>(plan.redo_files.size());
    for (const StagedRedo &redo : plan.redo_files) {
        out.text(redo.path);
        out.integer<int64_t>(redo.length);
    }
    out.integer<uint64_t>(plan.local_files.size());
    for (const LocalFile &file : plan.local_files) {
        out.text(file.path);
        out.text(file.content);
    }
    out.integer<uint64_t>(plan.control_file.size());
    out.bytes(plan.control_file);
    out.integer<uint64_t>(plan.recovery_start);
    out.bytes(default_checksum_algorithm().compute(bytes).bytes);
    return bytes;
}

StagedPlan decode_staged_plan(std::span<const unsigned char> bytes, const std::string &name)
{
    if (bytes.size() < default_checksum_size)
        throw damaged(name);
    auto body = bytes.first(bytes.size() - default_checksum_size);
    auto checksum = default_checksum_algorithm().compute(body);
    if (!std::equal(checksum.bytes.begin(), checksum.bytes.end(), bytes.last(default_checksum_size).begin()))
        throw damaged(name);
    ByteReader in(body, name);
    if (in.integer<uint64_t>() != plan_magic)
        throw Error(ErrorCode::not_supported, format("staged plan \"%s\" was written by another version of pg_failback", name.c_str()),
                    "", "Run the version that began the work.");
    StagedPlan plan;
    for (auto count = in.integer<uint64_t>(); count > 0; count--)
        plan.actions.push_back(read_action(in, name));
    for (auto count = in.integer<uint64_t>(); count > 0; count--) {
        StagedRedo redo;
        redo.path = in.text();
        redo.length = in.integer<int64_t>();
        check_relative_path(redo.path);
        plan.redo_files.push_back(std::move(redo));
    }
    for (auto count = in.integer<uint64_t>(); count > 0; count--) {
        LocalFile file;
        file.path = in.text();
        file.content = in.text();
        check_relative_path(file.path);
        plan.local_files.push_back(std::move(file));
    }
    auto control = in.bytes(in.integer<uint64_t>());
    plan.control_file.assign(control.begin(), control.end());
    plan.recovery_start = in.integer<uint64_t>();
    if (!in.at_end())
        throw damaged(name);
    return plan;
}

} // namespace failback
