#include "helper/fetch/candidates.h"

#include "common/chunk_protocol.h"
#include "common/error.h"
#include "common/payload_compression.h"
#include "helper/target/redo_file.h"

#include <cerrno>
#include <limits>
#include <sys/stat.h>

namespace failback {

Wanted::Wanted(const std::vector<FileAction> &actions, uint32_t block_size) : actions_(actions), block_size_(block_size)
{
    for (size_t i = 0; i < actions.size(); i++)
        // What WAL does not mend has to be of one moment: it is fetched whole.
        if (!actions[i].fetch.empty() && actions[i].relation)
            by_path_.emplace(actions[i].path, static_cast<uint32_t>(i));
}

void Wanted::take(const std::string &path, const Extent &part, std::span<const unsigned char> content,
                  std::vector<Candidate> &batch)
{
    auto known = by_path_.find(path);
    if (known == by_path_.end())
        return;
    std::lock_guard lock(mutex_);
    auto [entry, fresh] = touched_.try_emplace(known->second);
    if (fresh)
        entry->second = ExtentSet(actions_[known->second].fetch);
    for (const Extent &extent : entry->second.take(part)) {
        int64_t end = extent.offset + extent.length;
        int64_t first = (extent.offset + block_size_ - 1) / block_size_ * block_size_;
        int64_t last = end / block_size_ * block_size_;
        if (first >= last) {
            entry->second.put(extent);
            continue;
        }
        entry->second.put({extent.offset, first - extent.offset});
        entry->second.put({last, end - last});
        auto bytes = content.subspan(static_cast<size_t>(first - part.offset), static_cast<size_t>(last - first));
        batch.push_back({known->second, first, {bytes.begin(), bytes.end()}});
    }
}

void Wanted::give_back(uint32_t action, const Extent &part)
{
    std::lock_guard lock(mutex_);
    touched_.at(action).put(part);
}

std::vector<Extent> Wanted::left(size_t action)
{
    std::lock_guard lock(mutex_);
    auto known = touched_.find(static_cast<uint32_t>(action));
    return known == touched_.end() ? actions_[action].fetch : known->second.extents();
}

void StagedContent::read(const Found &found)
{
    FileDescriptor fd = target_.open_read(redo_file_);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0)
        throw io_error("examine file", target_.absolute(redo_file_), errno);
    std::vector<unsigned char> unpacked;
    auto use = [&](const RedoRecord &record) {
        bool elsewhere = record.compression == content_elsewhere;
        std::span<const unsigned char> content;
        if (!elsewhere)
            content = redo_content(record, unpacked);
        for (const RedoPiece &piece : record.pieces) {
            if (piece.action >= earlier_.actions.size() || piece.length > row_payload_bytes)
                return;
            Extent part{piece.offset, piece.length};
            auto bytes = elsewhere ? whole_file_content(piece.action, part) : content.first(static_cast<size_t>(piece.length));
            if (!elsewhere)
                content = content.subspan(static_cast<size_t>(piece.length));
            if (default_checksum_algorithm().compute(bytes).bytes == piece.checksum.bytes)
                found(piece.action, part, bytes);
        }
    };
    read_redo_file_as_far_as_good(target_, redo_file_, status.st_size, use);
}

// What is missing at its end, and what was never written in it, is zeros.
std::span<const unsigned char> StagedContent::whole_file_content(uint32_t action, const Extent &part)
{
    std::string path = earlier_file_path(earlier_, action);
    if (!fd_ || open_ != action) {
        fd_.reset();
        if (!target_.exists(path))
            return {};
        fd_ = target_.open_read(path);
        open_ = action;
    }
    buffer_.assign(static_cast<size_t>(part.length), 0);
    read_at(fd_.get(), buffer_, part.offset, target_.absolute(path));
    return buffer_;
}

} // namespace failback
