// Verifies the checksums of relation pages while they are read from under a running server.
#pragma once

#include "common/path_rules.h"
#include "extension/source_files.h"

namespace failback {

class PageVerifier {
public:
    // As of now: whether pages have checksums, and from which LSN on replay mends a page anyway.
    PageVerifier();

    bool enabled() const { return enabled_; }

    // Verifies the whole pages within `data`, which was read from `file` at `offset` (bytes). A page
    // that does not match was perhaps being written: it is read again, into `data`, several times.
    // Returns how many bytes of `data` are good: less than all when the file was truncated meanwhile.
    // Throws Error(data_corrupted), Error(io_error).
    size_t verify(const SourceFile &file, const RelationPath &relation, int64_t offset, std::span<unsigned char> data);

private:
    bool is_good(unsigned char *page, BlockNumber block);
    bool is_after_redo(XLogRecPtr lsn);

    bool enabled_;
    XLogRecPtr redo_;
    XLogRecPtr end_ = 0; // no page can have an LSN beyond it; looked up when one seems to
};

} // namespace failback
