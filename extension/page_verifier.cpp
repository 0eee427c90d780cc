#include "extension/page_verifier.h"

extern "C" {
#include "storage/bufpage.h"
#include "storage/checksum.h"
}

namespace failback {

namespace {

// 0.4 s in all: a page is written in microseconds, but its writer may have to wait for a processor.
constexpr int attempts = 12;
constexpr long pause = 5000; // microseconds, times the number of the attempt

bool is_all_zero(const unsigned char *page)
{
    return page[0] == 0 && std::memcmp(page, page + 1, BLCKSZ - 1) == 0;
}

} // namespace

PageVerifier::PageVerifier() : enabled_(DataChecksumsEnabled()), redo_(GetRedoRecPtr())
{
}

bool PageVerifier::is_after_redo(XLogRecPtr lsn)
{
    if (lsn < redo_)
        return false;
    // An LSN from the future is damage, not a reason to trust the page.
    if (lsn > end_)
        end_ = RecoveryInProgress() ? GetXLogReplayRecPtr(nullptr) : GetXLogInsertRecPtr();
    return lsn <= end_;
}

bool PageVerifier::is_good(unsigned char *bytes, BlockNumber block)
{
    // The server's function wants 4-byte alignment, and writes to the page while it computes.
    alignas(8) char aligned[BLCKSZ];
    char *page = reinterpret_cast<char *>(bytes);
    if (reinterpret_cast<uintptr_t>(bytes) % alignof(uint32_t) != 0) {
        std::memcpy(aligned, bytes, BLCKSZ);
        page = aligned;
    }
    auto header = reinterpret_cast<PageHeader>(page);
    if (header->pd_upper == 0)
        return is_all_zero(reinterpret_cast<const unsigned char *>(page));
    // Changed since the last checkpoint: the WAL holds a full image of it.
    if (is_after_redo(PageGetLSN(page)))
        return true;
    return pg_checksum_page(page, block) == header->pd_checksum;
}

size_t PageVerifier::verify(const SourceFile &file, const RelationPath &relation, int64_t offset,
                            std::span<unsigned char> data)
{
    const int64_t size = static_cast<int64_t>(data.size());
    for (int64_t at = (BLCKSZ - offset % BLCKSZ) % BLCKSZ; at + BLCKSZ <= size; at += BLCKSZ) {
        auto page = data.subspan(static_cast<size_t>(at), BLCKSZ);
        auto block = static_cast<BlockNumber>(int64_t{relation.segment} * RELSEG_SIZE + (offset + at) / BLCKSZ);
        for (int attempt = 0; !is_good(page.data(), block); ++attempt) {
            if (attempt == attempts)
                throw Error(ErrorCode::data_corrupted,
                            format("page verification failed in file \"%s\", block %u", file.path().c_str(), block), {},
                            "Find out what damaged the source; to copy the page as it is, pass verify_pages => false.");
            pg_usleep(pause * attempt); // the first time at once
            check_interrupts();
            if (file.read(offset + at, page) < BLCKSZ)
                return static_cast<size_t>(at);
        }
    }
    return data.size();
}

} // namespace failback
