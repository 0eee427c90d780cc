#include "helper/open_source.h"

#include "helper/source/local_source.h"

namespace failback {

OpenedSource open_source(const Context &context)
{
    const Options &options = context.options;
    OpenedSource opened;
    if (!options.source_pgdata.empty()) {
        opened.source = std::make_unique<LocalSource>(options.source_pgdata, options.target_pgdata, context.postgres_program);
    } else {
        ServerSourceOptions how;
        how.connection.conninfo = options.source_server;
        how.connection.timeout_seconds = options.timeout_seconds;
        if (options.max_rate > 0)
            how.rate_limiter = std::make_shared<RateLimiter>(options.max_rate);
        how.compression = options.compression;
        how.compression_level = options.compression_level;
        auto server = std::make_unique<ServerSource>(how);
        opened.server = server.get();
        opened.source = std::move(server);
    }
    opened.source->limit_reads(options.max_rate_read);
    return opened;
}

} // namespace failback
