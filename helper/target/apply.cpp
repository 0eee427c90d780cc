#include "helper/target/apply.h"

#include "common/error.h"
#include "common/path_rules.h"
#include "common/path_text.h"
#include "common/payload_compression.h"
#include "helper/cluster/control_file.h"
#include "helper/target/parallel.h"
#include "helper/target/redo_file.h"
#include "helper/target/staging.h"
#include "helper/target/tablespace_location.h"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

namespace failback {

namespace {

// A link or file in a path's way was removed by the kind the target had; anything else of that name is newer.
void remove_all(const TargetDirectory &target, const StagedPlan &plan)
{
    // Descending, so that a directory's contents come before it. One that still holds what the manifest does not show
    // (server logs, somebody's links or sockets) stays: nothing of PostgreSQL's is left in it.
    for (size_t i = plan.actions.size(); i-- > 0;) {
        const FileAction &action = plan.actions[i];
        if (action.kind != FileActionKind::remove)
            continue;
        if (action.file_kind == FileKind::directory)
            target.remove_directory(action.path);
        else
            target.remove_file(action.path);
    }
}

void create_all(const TargetDirectory &target, const StagedPlan &plan, SyncKind sync)
{
    for (const FileAction &action : plan.actions) {
        if (action.kind == FileActionKind::create_directory)
            target.make_directory(action.path);
        else if (action.kind == FileActionKind::create_symlink) {
            make_tablespace_location(action.link_target, target.directory_mode(), sync != SyncKind::none);
            target.make_symlink(action.path, action.link_target);
        }
    }
}

void rename_all(const TargetDirectory &target, const StagedPlan &plan)
{
    for (size_t i = 0; i < plan.actions.size(); i++) {
        const FileAction &action = plan.actions[i];
        if (action.staging != StagingKind::whole_file || action.kind == FileActionKind::remove)
            continue;
        std::string staged = staged_file_path(action, i);
        if (target.exists(staged))
            target.rename(staged, action.path);
        else if (!target.exists(action.path))
            throw Error(ErrorCode::data_corrupted, format("staged file \"%s\" is missing", target.absolute(staged).c_str()));
    }
}

// Writes redo records; keeps the file of the last piece open, as pieces of one file follow each other.
class RedoApplier {
public:
    RedoApplier(const TargetDirectory &target, const StagedPlan &plan, const ApplyOptions &options)
        : target_(target), plan_(plan), options_(options)
    {
    }

    void run(const StagedRedo &redo)
    {
        read_redo_file(target_, redo.path, redo.length, [this](const RedoRecord &record) { write(record); });
        if (fd_)
            end_file();
    }

private:
    void write(const RedoRecord &record)
    {
        if (record.compression == content_elsewhere) // renamed already
            return;
        std::span<const unsigned char> content = redo_content(record, buffer_);
        for (const RedoPiece &piece : record.pieces) {
            if (piece.action >= plan_.actions.size())
                throw Error(ErrorCode::data_corrupted, "a staged record names a file that the plan does not have");
            const FileAction &action = plan_.actions[piece.action];
            auto bytes = content.first(static_cast<size_t>(piece.length));
            content = content.subspan(static_cast<size_t>(piece.length));
            if (action.kind == FileActionKind::remove) // it vanished on the source after this piece was read
                continue;
            if (!fd_ || open_ != piece.action)
                begin_file(piece.action, action);
            write_at(fd_.get(), bytes, piece.offset, action.path);
        }
        if (options_.progress)
            options_.progress(record.raw_size);
    }

    void begin_file(uint32_t index, const FileAction &action)
    {
        if (fd_)
            end_file();
        fd_ = target_.open_write(action.path, O_CREAT);
        open_ = index;
    }

    void end_file()
    {
        // Starts the writing to disk now; the flush at the end waits for it.
        if (options_.sync != SyncKind::none)
            ::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        fd_.reset();
    }

    const TargetDirectory &target_;
    const StagedPlan &plan_;
    const ApplyOptions &options_;
    FileDescriptor fd_;
    uint32_t open_ = 0;
    std::vector<unsigned char> buffer_;
};

bool in_place(const FileAction &action)
{
    return (action.kind == FileActionKind::replace || action.kind == FileActionKind::patch) &&
           action.staging == StagingKind::redo;
}

// The final size, and a flush, of every file written in place. Replaced files of size 0 come into being here.
void settle_file(const TargetDirectory &target, const FileAction &action, SyncKind sync)
{
    FileDescriptor fd = target.open_write(action.path, O_CREAT);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0)
        throw io_error("examine file", target.absolute(action.path), errno);
    if (status.st_size != action.size && ::ftruncate(fd.get(), action.size) != 0)
        throw io_error("truncate file", target.absolute(action.path), errno);
    if (sync == SyncKind::fsync && ::fsync(fd.get()) != 0)
        throw io_error("flush file", target.absolute(action.path), errno);
}

void sync_directories(const TargetDirectory &target, const StagedPlan &plan, int threads)
{
    std::set<std::string> unique;
    for (const FileAction &action : plan.actions) {
        // Blocks written into a file change no directory.
        if (action.kind == FileActionKind::patch && action.staging == StagingKind::redo)
            continue;
        unique.insert(parent_of(action.path));
    }
    std::vector<std::string> directories(unique.begin(), unique.end());
    run_parallel(threads, directories.size(), [&](size_t i) {
        // A removed directory has no entries to flush; its parent is in the list too.
        if (FileDescriptor fd = target.open_directory(directories[i]); fd && ::fsync(fd.get()) != 0)
            throw io_error("flush directory", target.absolute(directories[i]), errno);
    });
}

} // namespace

void apply(const TargetDirectory &target, const StagedPlan &plan, const ApplyOptions &options)
{
    auto old_control = target.read_file(moved_control_path, max_control_bytes);
    target.write_file(applying_path, old_control.value_or(std::vector<unsigned char>{}), options.sync != SyncKind::none);
    remove_all(target, plan);
    create_all(target, plan, options.sync);
    rename_all(target, plan);
    run_parallel(options.threads, plan.redo_files.size(),
                 [&](size_t i) { RedoApplier(target, plan, options).run(plan.redo_files[i]); });
    run_parallel(options.threads, plan.actions.size(), [&](size_t i) {
        if (in_place(plan.actions[i]))
            settle_file(target, plan.actions[i], options.sync);
    });
    if (options.sync == SyncKind::fsync)
        sync_directories(target, plan, options.threads);
    else if (options.sync == SyncKind::syncfs)
        sync_filesystems(target);
}

void finish(const TargetDirectory &target, const StagedPlan &plan, SyncKind sync,
            const std::function<void()> &before_control)
{
    bool durable = sync != SyncKind::none;
    for (const LocalFile &file : plan.local_files)
        target.write_file(file.path, {reinterpret_cast<const unsigned char *>(file.content.data()), file.content.size()},
                          durable);
    if (before_control)
        before_control();
    target.write_file(new_control_path, plan.control_file, durable);
    target.rename(new_control_path, control_file_path);
    if (durable)
        target.sync_parent(control_file_path);
    // The note after pg_control has come back: it is never missing where pg_control is. Neither it nor the mark must come
    // back after a power failure, beside a server that has run since.
    remove_notes(target);
    if (durable) {
        target.sync(staging_name);
        target.sync_parent(note_path);
    }
    remove_staging(target);
}

} // namespace failback
