// The running new primary (or a standby), through libpq and the extension pg_failback in it.
#pragma once

#include "helper/source/connection.h"
#include "helper/source/rate_limiter.h"
#include "helper/source/relation_names.h"
#include "helper/source/source.h"

namespace failback {

struct ServerSourceOptions {
    ConnectionOptions connection;
    CompressionId compression = CompressionId::none;
    int compression_level = 0; // 0: the algorithm's default
    std::shared_ptr<RateLimiter> rate_limiter; // may be null
};

class ServerSource : public Source {
public:
    // Connects, and checks that the extension is there, of the right version, and that the role may execute
    // all that is needed: every missing privilege is named at once. Throws Error.
    explicit ServerSource(ServerSourceOptions options);

    SourceState state() override;
    void list_files(const std::function<void()> &begin, const std::function<void(FileEntry &&)> &report) override;
    void hold_wal(Lsn from) override;
    SourceState begin_backup() override;
    RecoveryEnd recovery_end() override;
    std::string describe() const override;

    // The physical slot `name` keeps the WAL that is held now, for the standby to come; created if it does not exist and
    // `create`. To be called just before the commit: from then on it is permanent. If the commit fails, release_slot() drops
    // one that was created; one that was there before keeps more WAL than it did.
    void reserve_slot(const std::string &name, bool create);
    void release_slot() noexcept;

    // Why reserve_slot() would fail, as one line, without changing anything; empty if nothing speaks against it.
    std::string slot_problem(const std::string &name, bool create);

    // Why so many connections more cannot be had, as one line, as far as the role's own limit tells; empty if nothing speaks against it.
    std::string connection_problem(int more);

    // Names of these relations, as far as the role may connect to their databases; elsewhere a note says why not.
    RelationNames relation_names(const std::set<RelationId> &wanted, std::vector<std::string> &notes);

    // Whether the connection's role could stream WAL, as the primary_conninfo that -R writes has to.
    bool may_replicate();
    std::string user() const { return PQuser(connection_->get()); }
    // The control connection's settings (PQconninfo), for what -R derives from them.
    PGconn *connection() const { return connection_->as_given(); }

protected:
    std::unique_ptr<ChunkReader> make_reader() override;

private:
    // Runs `work`, and after a broken connection again on a new one that holds the same WAL.
    template <typename Work> auto with_reconnects(Work work) -> decltype(work());
    void reconnect();
    void hold(Lsn from);

    ServerSourceOptions options_;
    std::unique_ptr<Connection> connection_;
    std::string schema_; // quoted
    std::string created_slot_; // by us, for the standby
    Lsn held_;           // WAL held from here on, 0: none
    bool backup_ = false; // an online backup is under way in this session
    bool images_without_backup_ = false; // full_page_writes was on when it began
};

} // namespace failback
