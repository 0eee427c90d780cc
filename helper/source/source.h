// The contract of a source: what a failback asks of the new primary, whatever kind it is.
#pragma once

#include "common/chunk_protocol.h"
#include "common/manifest.h"
#include "common/payload_compression.h"
#include "helper/cluster/lsn.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace failback {

// What must be known of the source before anything is planned.
struct SourceState {
    std::vector<unsigned char> control_file; // pg_control, whole and with a right CRC
    bool in_recovery = false;
    TimelineId timeline;     // the running one, which pg_control may not show yet
    Lsn current;             // insert position; of a standby the end of what it has replayed
    std::string history;     // content of the running timeline's history file, empty for timeline 1
    bool full_page_writes = false;
    std::string wal_level;
    std::string log_directory; // relative to the data directory; empty: outside of it
    int max_connections = 0;
    int max_worker_processes = 0;
    int max_wal_senders = 0;
    int max_prepared_transactions = 0;
    int max_locks_per_transaction = 0;
};

// Where recovery of the copy has to reach: everything copied so far is consistent from here on.
struct RecoveryEnd {
    Lsn lsn; // the end of a WAL record, flushed on the source
    TimelineId timeline;
    bool in_recovery = false;
};

struct ByteRange {
    std::string_view path; // relative to the data directory; outlives the request
    int64_t offset = 0;    // bytes
    int64_t length = 0;    // bytes, more than 0
};

// Which blocks' checksums are wanted.
struct BlockSumsRequest {
    std::span<const ByteRange> ranges; // each begins at a block's boundary
    uint32_t block_size;               // bytes, a power of two
    // Empty, or what our own chunks have: 16 bytes for every chunk (compared_chunk_bytes) of every range, one after the other.
    std::span<const unsigned char> digests{};
};

// Reads file content. One per thread; several of one source may be used at the same time.
class ChunkReader {
public:
    virtual ~ChunkReader() = default;

    // Reads the ranges (at most max_ranges_per_call, together at most max_bytes_per_call) and calls `on_row`
    // with each row in order, its checksum already verified and `results` consistent with what was asked:
    // never a range not asked for, never more bytes than asked. The row is valid during the call only.
    // A file that is shorter than asked or gone is told in the row's results. A file that changes meanwhile is
    // read in whatever mix of states: for relation files replay of WAL repairs that.
    // Throws Error(connection_failure), Error(protocol_violation), or what the source reports.
    virtual void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) = 0;

    // Checksums (common/block_sums.h) of every whole block asked for. Calls `on_row` with the range's index, the byte offset
    // in the file of the first block, and the checksums of consecutive blocks, in order. Where digests were given: no
    // checksums for a chunk that is whole and has its digest. A file that is shorter than asked or gone has fewer rows.
    using ChecksumRow = std::function<void(size_t range, int64_t offset, std::span<const unsigned char> checksums)>;
    virtual void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) = 0;

    // Bytes that came over the connection so far, payload as sent.
    virtual int64_t bytes_received() const = 0;
};

class RateLimiter;

class Source {
public:
    virtual ~Source() = default;

    // Before anything is read: what the source reads for the checksums we ask for, all readers together, is no more than
    // so many bytes a second. 0: no limit.
    void limit_reads(int64_t bytes_per_second);

    virtual SourceState state() = 0;

    // Reports every file a failback could need, exclusions applied, with checksums of everything that WAL does
    // not track block by block. No WAL segments: those are asked for by name. `begin` is called before the first; again,
    // if the connection broke: then all that was reported before does not count, and everything is reported anew.
    virtual void list_files(const std::function<void()> &begin, const std::function<void(FileEntry &&)> &report) = 0;

    // Keeps WAL from `from` on available until the source object is destroyed. Throws Error(wrong_state) if
    // it is gone already.
    virtual void hold_wal(Lsn from) = 0;

    // Makes what is copied from now on repairable by replay from the last checkpoint of the state returned, even if
    // full_page_writes is off: an online backup, which ends with recovery_end() or with the source object.
    virtual SourceState begin_backup() = 0;

    // To be called after the last relation file was read.
    virtual RecoveryEnd recovery_end() = 0;

    std::unique_ptr<ChunkReader> open_reader();

    // For messages and for -R; empty where there is no connection.
    virtual std::string describe() const = 0;

protected:
    virtual std::unique_ptr<ChunkReader> make_reader() = 0;
    RateLimiter *read_limiter() const { return read_limiter_.get(); } // may be null

private:
    std::shared_ptr<RateLimiter> read_limiter_;
};

// Reads one whole file of at most `limit` bytes; nullopt if it does not exist.
std::optional<std::vector<unsigned char>> read_whole_file(ChunkReader &reader, std::string_view path, int64_t limit);

// Decompresses the row's payload if need be. The result is `row.payload` itself or lies in `buffer`.
std::span<const unsigned char> row_content(const ChunkRow &row, std::vector<unsigned char> &buffer);

} // namespace failback
