#include "helper/fetch/fetch.h"

#include "helper/fetch/stager.h"
#include "helper/target/parallel.h"
#include "helper/target/staging.h"

#include <cerrno>
#include <fcntl.h>
#include <memory>

namespace failback {

namespace {

// Bounds one request: its arrays are small beside its content, and a broken connection costs little.
constexpr size_t ranges_per_request = 8192;
constexpr int64_t bytes_per_request = 32 * 1024 * 1024;
constexpr size_t copy_buffer_bytes = 1024 * 1024;

// A patched file that is built anew gets what does not change from the target's own file.
void copy_unchanged(const TargetDirectory &target, const FileAction &action, int out, std::vector<unsigned char> &buffer)
{
    FileDescriptor in = target.open_read(action.path);
    std::string name = target.absolute(action.path);
    buffer.resize(copy_buffer_bytes);
    auto copy = [&](int64_t from, int64_t to) {
        while (from < to) {
            size_t want = static_cast<size_t>(std::min<int64_t>(to - from, static_cast<int64_t>(copy_buffer_bytes)));
            size_t got = read_at(in.get(), std::span(buffer).first(want), from, name);
            if (got == 0)
                break;
            write_at(out, std::span(buffer).first(got), from, name);
            from += static_cast<int64_t>(got);
        }
    };
    int64_t position = 0;
    for (const Extent &extent : action.fetch) {
        copy(position, std::min(extent.offset, action.size));
        position = extent.offset + extent.length;
    }
    copy(position, action.size);
}

// Completes the staged whole files: unchanged parts, final size, flush.
void complete_whole_files(const TargetDirectory &target, const std::vector<FileAction> &actions, size_t first,
                          const FetchOptions &options)
{
    std::vector<size_t> whole;
    for (size_t i = first; i < actions.size(); i++)
        if (actions[i].staging == StagingKind::whole_file && actions[i].kind != FileActionKind::remove)
            whole.push_back(i);
    run_parallel(options.jobs, whole.size(), [&](size_t i) {
        const FileAction &action = actions[whole[i]];
        std::string path = staged_file_path(action, whole[i]);
        FileDescriptor fd = target.open_write(path, O_CREAT);
        std::vector<unsigned char> buffer;
        if (action.kind == FileActionKind::patch)
            copy_unchanged(target, action, fd.get(), buffer);
        if (::ftruncate(fd.get(), action.size) != 0)
            throw io_error("set the size of file", target.absolute(path), errno);
        if (options.sync && ::fsync(fd.get()) != 0)
            throw io_error("flush file", target.absolute(path), errno);
    });
}

} // namespace

FetchResult fetch_actions(Source &source, const TargetDirectory &target, std::vector<FileAction> &actions,
                          size_t first, const FetchOptions &options)
{
    WorkQueue queue(actions, first, ranges_per_request, bytes_per_request);
    SourceChanges changes;
    FetchResult result;
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
    complete_whole_files(target, actions, first, options);
    return result;
}

} // namespace failback
