#include "helper/phases/wal_supply.h"

#include "common/path_text.h"
#include "helper/cluster/target_settings.h"
#include "helper/target/staging.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace failback {

WalSupply::WalSupply(const Context &context, const Inspection &inspection)
{
    const uint32_t segment_size = inspection.segment_size;
    std::vector<std::unique_ptr<SegmentProvider>> places;
    places.push_back(make_directory_provider(context.target.absolute("pg_wal"), segment_size));
    if (context.options.restore_target_wal) {
        ArchiveOptions options;
        options.command = restore_command(context);
        options.segment_size = segment_size;
        options.written_to = std::max(inspection.target_control.checkpoint(), inspection.target_control.min_recovery_point());
        options.time_limit_seconds = context.options.timeout_seconds; // 0: none either
        if (context.options.dry_run) {
            std::error_code error;
            std::string name = (std::filesystem::temp_directory_path(error) / "pg_failback.XXXXXX").string();
            if (error)
                throw Error(ErrorCode::wrong_state, "there is no directory for temporary files, where a dry run keeps WAL from the archive", "",
                            "Set TMPDIR to a directory that can be written to.");
            if (::mkdtemp(name.data()) == nullptr)
                throw io_error("create directory", name, errno);
            scratch_ = name;
            options.directory = scratch_;
        } else {
            create_staging(context.target, {});
            options.directory = context.target.absolute(staging_directory("pg_wal/"));
        }
        directory_ = options.directory;
        auto archive = std::make_unique<ArchiveProvider>(options);
        archive_ = archive.get();
        places.push_back(std::move(archive));
    }
    segments_ = make_chained_provider(std::move(places));
}

WalSupply::~WalSupply()
{
    std::error_code ignored; // a leftover in the temporary directory harms nobody
    if (!scratch_.empty())
        std::filesystem::remove_all(scratch_, ignored);
}

void WalSupply::find_history(const Context &context, Inspection &inspection)
{
    TimelineId timeline = inspection.target_control.timeline();
    std::string path = history_file_path(timeline);
    if (archive_ == nullptr || inspection.target_history_problem.empty() || context.target.exists(path))
        return;
    std::string name(last_part(path));
    std::string kept = directory_ + "/" + name;
    if (!archive_->restore_file(name, kept))
        return;
    std::ifstream file(kept, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    try {
        inspection.target_history = parse_timeline_history(text, timeline, "archived " + name);
        inspection.target_history_problem.clear();
    } catch (const Error &error) {
        inspection.target_history_problem = error.what();
    }
}

std::set<std::string> WalSupply::restored() const
{
    return archive_ != nullptr ? archive_->restored() : std::set<std::string>{};
}

std::string WalSupply::restore_command(const Context &context) const
{
    if (!context.options.restore_command.empty())
        return context.options.restore_command;
    ConfigLocation config = find_target_config(context.target.path(), context.options.config_file);
    std::string command = read_target_settings(context.postgres_program, config, {"restore_command"})["restore_command"];
    if (command.empty())
        throw Error(ErrorCode::wrong_state, "restore_command is not set in the target cluster", "",
                    "Set it there, or give one with --restore-command.");
    return command;
}

} // namespace failback
