// A cleanly stopped server's data directory, read directly (--source-pgdata).
#pragma once

#include "common/beneath.h"
#include "helper/cluster/control_file.h"
#include "helper/source/source.h"

#include <memory>
#include <string>

namespace failback {

class LocalSource : public Source {
public:
    // `path` is the source's data directory, `target_path` the target's. A shared lock keeps a failback *onto* the source
    // away for as long as the object lives. Throws Error(wrong_state) with a hint if both are the same directory or share
    // pg_wal or a tablespace, if a server uses the source or did not shut it down cleanly, or if an earlier failback onto
    // it is unfinished.
    // `postgres_program` tells where the source has its log; empty: "log".
    LocalSource(const std::string &path, const std::string &target_path, const std::string &postgres_program = {});

    SourceState state() override;
    void list_files(const std::function<void()> &begin, const std::function<void(FileEntry &&)> &report) override;
    // Nothing recycles WAL on a stopped server: checks that every segment from `from` to the end is there.
    void hold_wal(Lsn from) override;
    // The same as state(): every page is whole on the disk of a stopped server.
    SourceState begin_backup() override;
    // The end of the shutdown checkpoint's record; minRecoveryPoint of a standby. Throws Error(wrong_state) if a server was
    // started on the source since the object was made: what was read before is of no use then.
    RecoveryEnd recovery_end() override;
    std::string describe() const override; // empty: nothing to connect to

protected:
    std::unique_ptr<ChunkReader> make_reader() override;

private:
    ControlFile read_control() const;
    void check_state() const;
    void check_unchanged() const;
    std::string history_text() const;
    std::string absolute(const std::string &relative) const { return directory_->path() + "/" + relative; }

    std::shared_ptr<const BeneathDirectory> directory_; // shared with the readers
    ControlFile control_;
    Lsn end_; // of its WAL
    std::string log_directory_; // relative; empty: outside of it
};

} // namespace failback
