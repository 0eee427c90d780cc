#include "helper/target/page_check.h"

#include "common/directory_walk.h"
#include "common/path_rules.h"
#include "helper/pg_frontend.h"
#include "helper/target/parallel.h"

#include <atomic>
#include <cstring>
#include <fcntl.h>

extern "C" {
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "storage/checksum_impl.h"
}

namespace failback {

namespace {

constexpr size_t pages_per_read = 64;

bool all_zero(const char *page)
{
    return page[0] == 0 && std::memcmp(page, page + 1, BLCKSZ - 1) == 0;
}

struct RelationFile {
    std::string path;
    RelationPath relation;
};

std::vector<RelationFile> relation_files(const TargetDirectory &target, const std::string &tablespace_directory)
{
    WalkOptions walk_options;
    walk_options.only_copied = false;
    walk_options.tablespace_directory = tablespace_directory;
    DirectoryWalk walk(target.path(), walk_options);
    std::vector<RelationFile> files;
    while (auto entry = walk.next()) {
        auto relation = entry->kind == FileKind::regular ? parse_relation_path(entry->path) : std::nullopt;
        if (relation)
            files.push_back({std::move(entry->path), *relation});
    }
    return files;
}

class FileCheck {
public:
    FileCheck(const RelationFile &file, const PageCheckOptions &options, const std::function<void(Defect &&)> &report)
        : file_(file), options_(options), report_(report)
    {
    }

    int64_t run(const TargetDirectory &target)
    {
        int64_t position = 0;
        report_unreadable({file_.path, 0, 0, ""}, report_, [&] { read(target, position); });
        flush();
        return position;
    }

private:
    void read(const TargetDirectory &target, int64_t &position)
    {
        FileDescriptor fd = target.open_read(file_.path);
        ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
        alignas(8) thread_local char pages[pages_per_read * BLCKSZ];
        auto bytes = std::span(reinterpret_cast<unsigned char *>(pages), sizeof(pages));
        while (size_t got = read_at(fd.get(), bytes, position, target.absolute(file_.path))) {
            // A part of a page at the end is what a crash while the file was extended leaves; PostgreSQL does not read it.
            for (size_t at = 0; at + BLCKSZ <= got; at += BLCKSZ)
                if (!is_good(pages + at, position + static_cast<int64_t>(at)))
                    note(position + static_cast<int64_t>(at));
            position += static_cast<int64_t>(got);
            if (options_.progress)
                options_.progress(static_cast<int64_t>(got));
        }
    }

    bool is_good(char *page, int64_t offset) const
    {
        auto header = reinterpret_cast<PageHeader>(page);
        if (PageIsNew(page))
            return all_zero(page);
        XLogRecPtr lsn = PageGetLSN(page);
        if (lsn >= options_.replay_from && lsn < options_.replay_to)
            return true;
        auto block = static_cast<BlockNumber>(int64_t{file_.relation.segment} * RELSEG_SIZE + offset / BLCKSZ);
        return pg_checksum_page(page, block) == header->pd_checksum;
    }

    void note(int64_t offset)
    {
        if (defect_.length > 0 && defect_.offset + defect_.length == offset) {
            defect_.length += BLCKSZ;
            return;
        }
        flush();
        defect_ = {file_.path, offset, BLCKSZ, "has wrong page checksums"};
    }

    void flush()
    {
        if (defect_.length > 0)
            report_(std::move(defect_));
        defect_ = {};
    }

    const RelationFile &file_;
    const PageCheckOptions &options_;
    const std::function<void(Defect &&)> &report_;
    Defect defect_;
};

} // namespace

int64_t check_pages(const TargetDirectory &target, const PageCheckOptions &options,
                    const std::function<void(Defect &&)> &report)
{
    std::vector<RelationFile> files = relation_files(target, options.tablespace_directory);
    std::atomic<int64_t> bytes{0};
    run_parallel(options.threads, files.size(), [&](size_t i) { bytes += FileCheck(files[i], options, report).run(target); });
    return bytes;
}

} // namespace failback
