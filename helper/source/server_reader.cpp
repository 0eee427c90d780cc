#include "helper/source/server_reader.h"

#include "common/block_sums.h"
#include "helper/cancel.h"
#include "helper/source/bulk_rows.h"
#include "helper/source/chunk_validator.h"

#include <chrono>

namespace failback {

namespace {

constexpr int reconnect_attempts = 5;

// Ranges as the three parallel arrays that the bulk functions take.
struct ByteRangeArrays {
    explicit ByteRangeArrays(std::span<const ByteRange> ranges)
    {
        std::vector<std::string_view> path_values;
        std::vector<int64_t> offset_values;
        std::vector<int64_t> length_values;
        for (const ByteRange &range : ranges) {
            path_values.push_back(range.path);
            offset_values.push_back(range.offset);
            length_values.push_back(range.length);
        }
        paths = text_array_parameter(path_values);
        offsets = int8_array_parameter(offset_values);
        lengths = int8_array_parameter(length_values);
    }
    QueryParameter paths;
    QueryParameter offsets;
    QueryParameter lengths;
};

// How far an answer has come.
struct Position {
    size_t range = 0;   // 0-based, the first that is not complete
    int64_t bytes = 0;  // of it that were delivered

    std::vector<ByteRange> rest(std::span<const ByteRange> ranges) const
    {
        std::vector<ByteRange> left(ranges.begin() + static_cast<std::ptrdiff_t>(range), ranges.end());
        if (!left.empty()) {
            left.front().offset += bytes;
            left.front().length -= bytes;
        }
        return left;
    }
};

class ServerChunkReader : public ChunkReader {
public:
    ServerChunkReader(const ServerSourceOptions &options, const std::string &schema)
        : options_(options), compression_(find_compression(options.compression)),
          level_(options.compression_level != 0 ? options.compression_level : compression_.default_level),
          read_sql_("SELECT (c).* FROM (SELECT " + schema + ".pg_failback_read_chunks($1, $2, $3, $4, $5::pg_catalog.int4, true)"
                    " AS c OFFSET 0) AS s"),
          checksum_sql_("SELECT (c).* FROM (SELECT " + schema + ".pg_failback_block_checksums($1, $2, $3, $4::pg_catalog.int4, $5)"
                        " AS c OFFSET 0) AS s")
    {
    }

    void read(std::span<const ByteRange> ranges, const std::function<void(const ChunkRow &)> &on_row) override
    {
        Position position;
        with_reconnects([&] {
            const Position base = position;
            read_rest(base.rest(ranges), [&](ChunkRow &row) {
                // As the caller asked, whatever part of it this attempt was about.
                bool continues = row.first_range == 1;
                row.first_range += static_cast<int32_t>(base.range);
                if (continues)
                    row.start += base.bytes;
                on_row(row);
                advance(position, row);
            });
        });
    }

    void checksum_blocks(const BlockSumsRequest &request, const ChecksumRow &on_row) override
    {
        Position position; // at a chunk, for which there is a digest
        with_reconnects([&] {
            const Position base = position;
            const std::vector<ByteRange> rest = base.rest(request.ranges);
            const BlockSumsRequest what{rest, request.block_size, digests_from(request, base)};
            checksum_rest(what, [&](size_t range, int64_t offset, std::span<const unsigned char> sums) {
                size_t asked = base.range + range;
                on_row(asked, offset, sums);
                const ByteRange &whole = request.ranges[asked];
                int64_t done = (offset - whole.offset) / compared_chunk_bytes * compared_chunk_bytes + compared_chunk_bytes;
                position = done < whole.length ? Position{asked, done} : Position{asked + 1, 0};
            });
        });
    }

    int64_t bytes_received() const override { return received_; }

private:
    static void advance(Position &position, const ChunkRow &row)
    {
        int64_t last = row.results.back();
        if (row.finished)
            position = {static_cast<size_t>(row.first_range) - 1 + row.results.size(), 0};
        else
            position = {static_cast<size_t>(row.first_range) - 2 + row.results.size(),
                        row.results.size() == 1 ? row.start + last : last};
        if (position.bytes < 0)
            position.bytes = 0;
    }

    template <typename Work> void with_reconnects(Work work)
    {
        for (int attempt = 1;; attempt++) {
            try {
                if (!connection_)
                    connection_ = std::make_unique<Connection>(options_.connection);
                work();
                return;
            } catch (const Error &error) {
                connection_.reset(); // nothing can follow on it after a failure in the middle of an answer
                if (error.code() != ErrorCode::connection_failure ||
                    !pause_before_reconnect(attempt, options_.connection.timeout_seconds))
                    throw;
            }
        }
    }

    void read_rest(const std::vector<ByteRange> &ranges, const std::function<void(ChunkRow &)> &on_row)
    {
        if (ranges.empty() || (ranges.size() == 1 && ranges[0].length == 0))
            return;
        ByteRangeArrays arrays(ranges);
        ChunkValidator validator(ranges);
        QueryParameter level{25, std::to_string(level_), false, false};
        connection_->start_rows(read_sql_, {arrays.paths, arrays.offsets, arrays.lengths, text_parameter(compression_.name), level});
        while (PgResult result = connection_->next_row()) {
            ChunkRow row = decode_chunk_row(result.get(), results_);
            validator.check(row);
            auto bytes = static_cast<int64_t>(row.payload.size());
            received_ += bytes;
            on_row(row);
            if (options_.rate_limiter)
                options_.rate_limiter->received(bytes);
        }
        validator.finish();
    }

    // What a request has for the chunks from a position on.
    static std::span<const unsigned char> digests_from(const BlockSumsRequest &request, const Position &position)
    {
        if (request.digests.empty())
            return {};
        int64_t chunks = position.bytes / compared_chunk_bytes;
        for (size_t i = 0; i < position.range; i++)
            chunks += chunks_in(request.ranges[i].length);
        return request.digests.subspan(static_cast<size_t>(chunks) * block_sum_bytes);
    }

    void checksum_rest(const BlockSumsRequest &request, const ChecksumRow &on_row)
    {
        if (request.ranges.empty())
            return;
        ByteRangeArrays arrays(request.ranges);
        QueryParameter size{25, std::to_string(request.block_size), false, false};
        connection_->start_rows(checksum_sql_, {arrays.paths, arrays.offsets, arrays.lengths, size, bytea_parameter(request.digests)});
        BlockSumsValidator validator(request);
        while (PgResult result = connection_->next_row()) {
            BlockSumsRow row = decode_block_sums(result.get());
            validator.check(row);
            received_ += static_cast<int64_t>(row.sums.size());
            on_row(static_cast<size_t>(row.range) - 1, row.offset, row.sums);
        }
    }

    const ServerSourceOptions options_;
    std::unique_ptr<Connection> connection_; // from the first request on, so that a failure to connect is retried too
    const CompressionAlgorithm &compression_;
    int level_;
    std::string read_sql_;
    std::string checksum_sql_;
    std::vector<int64_t> results_;
    int64_t received_ = 0;
};

} // namespace

bool pause_before_reconnect(int attempt, int timeout_seconds)
{
    int all_pauses = (1 << attempt) - 1;
    if (attempt > reconnect_attempts || (timeout_seconds > 0 && all_pauses > timeout_seconds))
        return false;
    pause_for(std::chrono::seconds(1 << (attempt - 1)));
    return true;
}

std::unique_ptr<ChunkReader> make_server_reader(const ServerSourceOptions &options, const std::string &schema)
{
    return std::make_unique<ServerChunkReader>(options, schema);
}

} // namespace failback
