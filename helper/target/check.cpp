#include "helper/target/check.h"

#include "common/error.h"
#include "helper/target/parallel.h"
#include "helper/target/redo_file.h"
#include "helper/target/staging.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace failback {

namespace {

constexpr size_t read_buffer_bytes = 256 * 1024;

bool is_whole_file(const FileAction &action)
{
    return action.staging == StagingKind::whole_file && action.kind != FileActionKind::remove;
}

int64_t size_of(const FileDescriptor &fd, const std::string &name)
{
    struct stat status;
    if (::fstat(fd.get(), &status) != 0)
        throw io_error("examine file", name, errno);
    return status.st_size;
}

// Compares pieces with what lies in files; keeps the last file open, as pieces of one file follow each other.
class PieceChecker {
public:
    // Where the content of the action with this index lies now.
    using Locate = std::function<std::string(const FileAction &, size_t)>;

    PieceChecker(const TargetDirectory &target, const StagedPlan &plan, Locate locate)
        : target_(target), plan_(plan), locate_(std::move(locate)), buffer_(read_buffer_bytes)
    {
    }

    const FileAction &action(const RedoPiece &piece) const
    {
        if (piece.action >= plan_.actions.size())
            throw Error(ErrorCode::data_corrupted, "a staged record names a file that the plan does not have");
        return plan_.actions[piece.action];
    }

    // Does the file hold it? What lies beyond the final size of a file was cut off, and what vanished is not there.
    bool holds(const RedoPiece &piece)
    {
        const FileAction &owner = action(piece);
        if (owner.kind == FileActionKind::remove || piece.offset + piece.length > owner.size)
            return true;
        if (!fd_ || open_ != piece.action) {
            name_ = locate_(owner, piece.action);
            fd_.reset();
            fd_ = target_.open_read(name_);
            // From the disk, as far as it was flushed, and not from memory.
            ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
            open_ = piece.action;
        }
        auto checksummer = default_checksum_algorithm().start();
        for (int64_t at = 0; at < piece.length;) {
            size_t want = static_cast<size_t>(std::min<int64_t>(piece.length - at, read_buffer_bytes));
            size_t got = read_at(fd_.get(), std::span(buffer_).first(want), piece.offset + at, target_.absolute(name_));
            if (got == 0)
                return false;
            checksummer->update(std::span(buffer_).first(got));
            at += static_cast<int64_t>(got);
        }
        return checksummer->finish().bytes == piece.checksum.bytes;
    }

private:
    const TargetDirectory &target_;
    const StagedPlan &plan_;
    Locate locate_;
    FileDescriptor fd_;
    size_t open_ = 0;
    std::string name_;
    std::vector<unsigned char> buffer_;
};

Error damaged(const std::string &path, int64_t offset)
{
    return {ErrorCode::data_corrupted,
            format("staged file \"%s\" is damaged at offset %lld", path.c_str(), static_cast<long long>(offset)), "",
            "Its disk cannot be trusted; take a new base backup onto another one."};
}

} // namespace

bool report_unreadable(Defect &&where, const std::function<void(Defect &&)> &report, const std::function<void()> &read)
{
    try {
        read();
        return true;
    } catch (const Error &error) {
        if (error.code() != ErrorCode::io_error && error.code() != ErrorCode::access_denied)
            throw;
        where.problem = std::string("cannot be read: ") + error.what();
        report(std::move(where));
        return false;
    }
}

StagedPlan read_staged_plan(const TargetDirectory &target)
{
    auto bytes = target.read_file(staged_plan_path, max_plan_bytes);
    if (!bytes)
        throw Error(ErrorCode::data_corrupted,
                    format("staged plan \"%s\" does not exist", target.absolute(staged_plan_path).c_str()));
    return decode_staged_plan(*bytes, target.absolute(staged_plan_path));
}

void check_staged(const TargetDirectory &target, const StagedPlan &plan, int threads,
                  const std::function<void(int64_t)> &progress)
{
    auto where = [&](const FileAction &action, size_t index) {
        std::string staged = staged_file_path(action, index);
        return target.exists(staged) ? staged : action.path;
    };
    run_parallel(threads, plan.redo_files.size(), [&](size_t i) {
        PieceChecker checker(target, plan, where);
        read_redo_file(target, plan.redo_files[i].path, plan.redo_files[i].length, [&](const RedoRecord &record) {
            for (const RedoPiece &piece : record.pieces) {
                if (progress)
                    progress(piece.length);
                if (record.compression == content_elsewhere && !checker.holds(piece))
                    throw damaged(target.absolute(where(checker.action(piece), piece.action)), piece.offset);
            }
        });
    });
    run_parallel(threads, plan.actions.size(), [&](size_t i) {
        const FileAction &action = plan.actions[i];
        if (!is_whole_file(action))
            return;
        std::string path = where(action, i);
        int64_t size = size_of(target.open_read(path), target.absolute(path));
        if (size != action.size)
            throw damaged(target.absolute(path), std::min(size, action.size));
    });
}

int64_t check_applied(const TargetDirectory &target, const StagedPlan &plan, int threads,
                      const std::function<void(Defect &&)> &report, const std::function<void(int64_t)> &progress)
{
    std::atomic<int64_t> bytes{0};
    // First what is not there or of another size: pieces of such files need no mention of their own.
    std::vector<char> whole(plan.actions.size(), true);
    run_parallel(threads, plan.actions.size(), [&](size_t i) {
        const FileAction &action = plan.actions[i];
        if (action.kind != FileActionKind::replace && action.kind != FileActionKind::patch)
            return;
        if (!target.exists(action.path)) {
            whole[i] = false;
            report({action.path, 0, 0, "is missing"});
            return;
        }
        int64_t size = -1;
        if (!report_unreadable({action.path, 0, 0, ""}, report,
                               [&] { size = size_of(target.open_read(action.path), target.absolute(action.path)); })) {
            whole[i] = false;
        } else if (size != action.size) {
            whole[i] = false;
            report({action.path, 0, 0, format("has %lld bytes instead of %lld", static_cast<long long>(size),
                                              static_cast<long long>(action.size))});
        }
    });
    run_parallel(threads, plan.redo_files.size(), [&](size_t i) {
        PieceChecker checker(target, plan, [](const FileAction &action, size_t) { return action.path; });
        read_redo_file(target, plan.redo_files[i].path, plan.redo_files[i].length, [&](const RedoRecord &record) {
            for (const RedoPiece &piece : record.pieces) {
                const std::string &path = checker.action(piece).path;
                bool good = true;
                if (whole[piece.action] &&
                    report_unreadable({path, piece.offset, piece.length, ""}, report, [&] { good = checker.holds(piece); }) && !good)
                    report({path, piece.offset, piece.length, "differs from what was fetched"});
                bytes += piece.length;
                if (progress)
                    progress(piece.length);
            }
        });
    });
    return bytes;
}

} // namespace failback
