#include "helper/fetch/fetch.h"

#include "helper/cancel.h"
#include "helper/fetch/stager.h"
#include "helper/fetch/take_over.h"
#include "helper/target/parallel.h"
#include "helper/target/staging.h"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <mutex>

namespace failback {

namespace {

// Bounds one request: its arrays are small beside its content, and a broken connection costs little.
constexpr size_t ranges_per_request = 8192;
constexpr int64_t bytes_per_request = 32 * 1024 * 1024;
constexpr size_t copy_buffer_bytes = 1024 * 1024;

// What was not fetched of the whole files being built: filled in here, and its checksums noted like those of what was.
class WholeFileCompleter {
public:
    WholeFileCompleter(const TargetDirectory &target, std::string redo_path, bool sync)
        : target_(target), redo_path_(std::move(redo_path)), sync_(sync)
    {
    }

    // The checksums; length 0: there was nothing to fill in.
    StagedRedo finish()
    {
        if (!checksums_)
            return {};
        if (sync_)
            checksums_->sync();
        return {redo_path_, checksums_->length()};
    }

    // Unchanged parts, final size, flush.
    void complete(const FileAction &action, size_t index)
    {
        std::string path = staged_file_path(action, index);
        FileDescriptor fd = target_.open_write(path, O_CREAT);
        // What is not fetched of a file that was there comes from it; of any other one it was staged before (WAL from the
        // archive) or reads as zeros (the end of a WAL segment).
        bool patch = action.kind == FileActionKind::patch;
        FileDescriptor unchanged = target_.open_read(patch ? action.path : path);
        if (::ftruncate(fd.get(), action.size) != 0)
            throw io_error("set the size of file", target_.absolute(path), errno);
        auto fill = [&](int64_t from, int64_t to) {
            if (from < to)
                note(index, from, to, unchanged.get(), patch ? fd.get() : -1, patch ? action.path : path);
        };
        int64_t position = 0;
        for (const Extent &extent : action.fetch) {
            fill(position, std::min(extent.offset, action.size));
            position = extent.offset + extent.length;
        }
        fill(position, action.size);
        // It ended before its end: the last piece's checksum is of more than what is left of it.
        if (position > action.size && action.size > 0) {
            FileDescriptor staged = target_.open_read(path);
            note(index, 0, action.size, staged.get(), -1, path);
        }
        if (sync_ && ::fsync(fd.get()) != 0)
            throw io_error("flush file", target_.absolute(path), errno);
    }

private:
    // Reads [from, to), writes it to `out` unless that is -1, and notes its checksum.
    void note(size_t index, int64_t from, int64_t to, int in, int out, const std::string &path)
    {
        thread_local std::vector<unsigned char> buffer(copy_buffer_bytes);
        auto checksummer = default_checksum_algorithm().start();
        for (int64_t at = from; at < to;) {
            check_cancelled();
            size_t want = static_cast<size_t>(std::min<int64_t>(to - at, static_cast<int64_t>(copy_buffer_bytes)));
            auto content = std::span(buffer).first(want);
            size_t got = read_at(in, content, at, target_.absolute(path));
            if (got < want && out < 0)
                throw Error(ErrorCode::data_corrupted, format("\"%s\" ended while it was read", target_.absolute(path).c_str()));
            // Of a file that has become shorter than it was, the rest reads as zeros.
            std::fill(content.begin() + static_cast<std::ptrdiff_t>(got), content.end(), 0);
            if (out >= 0 && got > 0)
                write_at(out, content.first(got), at, target_.absolute(path));
            checksummer->update(content);
            at += static_cast<int64_t>(want);
        }
        std::lock_guard lock(mutex_);
        if (!checksums_)
            checksums_ = std::make_unique<RedoWriter>(target_, redo_path_);
        checksums_->append_checksum({static_cast<uint32_t>(index), from, to - from, checksummer->finish()});
    }

    const TargetDirectory &target_;
    const std::string redo_path_;
    std::unique_ptr<RedoWriter> checksums_;
    bool sync_;
    std::mutex mutex_;
};

StagedRedo complete_whole_files(const TargetDirectory &target, const std::vector<FileAction> &actions, size_t first,
                                const FetchOptions &options)
{
    std::vector<size_t> whole;
    for (size_t i = first; i < actions.size(); i++)
        if (actions[i].staging == StagingKind::whole_file && actions[i].kind != FileActionKind::remove)
            whole.push_back(i);
    WholeFileCompleter completer(target, format("%s/%s.rest", staging_name, options.redo_name.c_str()), options.sync);
    run_parallel(options.jobs, whole.size(), [&](size_t i) { completer.complete(actions[whole[i]], whole[i]); });
    return completer.finish();
}

} // namespace

int connections_for(int64_t bytes, int jobs)
{
    return static_cast<int>(std::clamp<int64_t>((bytes + bytes_per_request - 1) / bytes_per_request, 1, jobs));
}

FetchResult fetch_actions(Source &source, const TargetDirectory &target, std::vector<FileAction> &actions,
                          size_t first, const FetchOptions &options)
{
    SourceChanges changes;
    TakenOver taken;
    if (options.block_size > 0)
        taken = take_over(source, target, actions, options, changes);
    FetchResult result = std::move(taken.staged);
    result.bytes_taken_over = taken.bytes;
    WorkQueue queue(taken.remaining.empty() ? actions : taken.remaining, first, ranges_per_request, bytes_per_request);
    std::mutex result_mutex;
    auto work = [&](size_t worker) {
        Request request;
        if (!queue.next(request))
            return; // less work than connections
        std::unique_ptr<ChunkReader> reader = source.open_reader();
        Stager stager(target, actions, format("%s/%s.%zu", staging_name, options.redo_name.c_str(), worker), changes);
        do {
            stager.begin(request);
            reader->read(request.ranges, [&](const ChunkRow &row) {
                stager.row(row);
                if (options.progress)
                    options.progress(row.raw_size);
            });
        } while (queue.next(request));
        stager.finish(options.sync);
        std::lock_guard lock(result_mutex);
        if (stager.redo().length > 0)
            result.redo_files.push_back(stager.redo());
        result.bytes_fetched += stager.bytes_fetched();
        result.bytes_received += reader->bytes_received();
        result.bytes_staged += stager.bytes_staged();
    };
    run_parallel(options.jobs, static_cast<size_t>(options.jobs), [&](size_t worker) {
        try {
            work(worker);
        } catch (...) {
            queue.close();
            throw;
        }
    });
    changes.apply_to(actions);
    StagedRedo rest = complete_whole_files(target, actions, first, options);
    if (rest.length > 0)
        result.redo_files.push_back(std::move(rest));
    return result;
}

} // namespace failback
