// Writes arriving rows to staging: into this connection's redo file, or into the whole files being built; the checksums of
// what goes into those are noted in the redo file.
#pragma once

#include "helper/fetch/work_queue.h"
#include "helper/target/redo_file.h"
#include "helper/target/staged_plan.h"

#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace failback {

// What the source turned out to have, where it differs from its manifest. Shared by the connections.
class SourceChanges {
public:
    void vanished(uint32_t action);
    void ended(uint32_t action, int64_t size);
    void apply_to(std::vector<FileAction> &actions) const;

private:
    std::mutex mutex_;
    std::set<uint32_t> vanished_;
    std::map<uint32_t, int64_t> ended_;
};

class Stager {
public:
    Stager(const TargetDirectory &target, const std::vector<FileAction> &actions, std::string redo_path,
           SourceChanges &changes);

    void begin(const Request &request);
    void row(const ChunkRow &row); // of the request begun last; returns after its content was written
    // Flushes the redo file (its writer) if anything is in it.
    void finish(bool sync);

    StagedRedo redo() const; // length 0: nothing went there
    int64_t bytes_staged() const { return staged_bytes_ + (redo_ ? redo_->length() : 0); }
    int64_t bytes_fetched() const { return fetched_bytes_; }

private:
    void locate(const ChunkRow &row);
    void write_whole(const RedoPiece &piece, std::span<const unsigned char> content);

    const TargetDirectory &target_;
    const std::vector<FileAction> &actions_;
    std::string redo_path_;
    SourceChanges &changes_;
    const Request *request_ = nullptr;
    std::unique_ptr<RedoWriter> redo_;
    FileDescriptor whole_fd_;
    uint32_t whole_action_ = 0;
    int64_t unflushed_ = 0; // bytes written to whole_fd_ since the last start of writing back
    std::vector<RedoPiece> pieces_;
    std::vector<RedoPiece> redo_pieces_;
    std::vector<unsigned char> content_;
    std::vector<unsigned char> gathered_;
    int64_t staged_bytes_ = 0;
    int64_t fetched_bytes_ = 0;
};

} // namespace failback
