#include "helper/fetch/stager.h"

#include "helper/target/staging.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

namespace failback {

namespace {

// Start writing a staged file to disk after so many bytes, so that the final flush finds little to do.
constexpr int64_t write_back_step = 16 * 1024 * 1024;

bool all_zero(std::span<const unsigned char> bytes)
{
    return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

} // namespace

void SourceChanges::vanished(uint32_t action)
{
    std::lock_guard lock(mutex_);
    vanished_.insert(action);
}

void SourceChanges::ended(uint32_t action, int64_t size)
{
    std::lock_guard lock(mutex_);
    auto [entry, fresh] = ended_.emplace(action, size);
    if (!fresh)
        entry->second = std::min(entry->second, size);
}

void SourceChanges::apply_to(std::vector<FileAction> &actions) const
{
    for (auto [index, size] : ended_)
        actions[index].size = std::min(actions[index].size, size);
    for (uint32_t index : vanished_) {
        actions[index].kind = FileActionKind::remove;
        actions[index].file_kind = FileKind::regular;
    }
}

Stager::Stager(const TargetDirectory &target, const std::vector<FileAction> &actions, std::string redo_path,
               SourceChanges &changes)
    : target_(target), actions_(actions), redo_path_(std::move(redo_path)), changes_(changes)
{
}

void Stager::begin(const Request &request)
{
    request_ = &request;
}

// Which bytes of which file each part of the row's content is; notes what the source does not have (any more).
void Stager::locate(const ChunkRow &row)
{
    pieces_.clear();
    for (size_t i = 0; i < row.results.size(); i++) {
        size_t range = static_cast<size_t>(row.first_range) - 1 + i;
        const ByteRange &asked = request_->ranges[range];
        uint32_t owner = request_->owners[range];
        int64_t start = i == 0 ? row.start : 0;
        int64_t got = row.results[i];
        bool complete = i + 1 < row.results.size() || row.finished;
        if (got == range_vanished) {
            changes_.vanished(owner);
            continue;
        }
        if (got > 0)
            pieces_.push_back({owner, asked.offset + start, got, {}});
        if (complete && start + got < asked.length)
            changes_.ended(owner, asked.offset + start + got);
    }
}

void Stager::row(const ChunkRow &row)
{
    locate(row);
    fetched_bytes_ += row.raw_size;
    if (pieces_.empty())
        return;
    auto goes_whole = [this](const RedoPiece &piece) { return actions_[piece.action].staging == StagingKind::whole_file; };
    size_t whole = static_cast<size_t>(std::count_if(pieces_.begin(), pieces_.end(), goes_whole));
    // What cannot be unpacked has to be found out now, also if it goes to the redo file as it came: after the commit it
    // would be too late.
    if (row.payload.size() > static_cast<size_t>(row_payload_bytes))
        throw Error(ErrorCode::protocol_violation, "the source sent a row that is larger packed than unpacked");
    std::span<const unsigned char> content = row_content(row, content_);

    if (!redo_)
        redo_ = std::make_unique<RedoWriter>(target_, redo_path_);
    redo_pieces_.clear();
    gathered_.clear();
    for (RedoPiece &piece : pieces_) {
        auto bytes = content.first(static_cast<size_t>(piece.length));
        content = content.subspan(static_cast<size_t>(piece.length));
        piece.checksum = default_checksum_algorithm().compute(bytes);
        if (goes_whole(piece)) {
            write_whole(piece, bytes);
            redo_->append_checksum(piece);
            continue;
        }
        redo_pieces_.push_back(piece);
        if (whole > 0)
            gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
    }
    if (redo_pieces_.empty())
        return;
    if (whole == 0)
        redo_->append({redo_pieces_, row.compression, static_cast<uint32_t>(row.raw_size), row.payload});
    else
        redo_->append({redo_pieces_, static_cast<int16_t>(CompressionId::none), static_cast<uint32_t>(gathered_.size()), gathered_});
}

void Stager::write_whole(const RedoPiece &piece, std::span<const unsigned char> content)
{
    const FileAction &action = actions_[piece.action];
    if (!whole_fd_ || whole_action_ != piece.action) {
        // Several connections may build the same file: whoever comes first creates it.
        whole_fd_ = target_.open_write(staged_file_path(action, piece.action), O_CREAT);
        whole_action_ = piece.action;
        unflushed_ = 0;
    }
    // The staged file is new: what is not written reads as zeros (and takes no space).
    if (all_zero(content))
        return;
    write_at(whole_fd_.get(), content, piece.offset, action.path);
    staged_bytes_ += piece.length;
    unflushed_ += piece.length;
    if (unflushed_ >= write_back_step) {
        ::sync_file_range(whole_fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        unflushed_ = 0;
    }
}

void Stager::finish(bool sync)
{
    whole_fd_.reset();
    if (redo_ && sync)
        redo_->sync();
}

StagedRedo Stager::redo() const
{
    return redo_ ? StagedRedo{redo_path_, redo_->length()} : StagedRedo{};
}

} // namespace failback
