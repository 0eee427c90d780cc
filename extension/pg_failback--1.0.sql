/* What the old primary's pg_failback asks of the new one. */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_failback" to load this file. \quit

CREATE FUNCTION pg_failback_source_state(
    OUT library_version text,
    OUT server_version_num int4,
    OUT system_identifier int8,
    OUT pg_control_version int4,
    OUT catalog_version int4,
    OUT block_size int4,
    OUT relation_segment_blocks int4,
    OUT wal_block_size int4,
    OUT wal_segment_size int4,
    OUT data_checksums bool,
    OUT wal_log_hints bool,
    OUT full_page_writes bool,
    OUT wal_level text,
    OUT in_recovery bool,
    OUT timeline int8,
    OUT checkpoint pg_lsn,
    OUT redo pg_lsn,
    OUT current_lsn pg_lsn,
    OUT log_directory text,
    OUT history text,
    OUT max_connections int4,
    OUT max_worker_processes int4,
    OUT max_wal_senders int4,
    OUT max_prepared_transactions int4,
    OUT max_locks_per_transaction int4,
    OUT control_file bytea)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION pg_failback_source_state() IS
    'state of this server as the source of a failback: identity, sizes, running timeline with its history, WAL positions, settings and the image of pg_control';

CREATE FUNCTION pg_failback_server_id() RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION pg_failback_server_id() IS
    'tells this server, that is this data directory on this machine, from all others that a connection may lead to; the same after a restart of the server';

CREATE FUNCTION pg_failback_manifest(
    checksum text DEFAULT 'none',
    checksum_of text DEFAULT 'all',
    wal_from pg_lsn DEFAULT NULL,
    private_keys bool DEFAULT false,
    max_rate int8 DEFAULT 0,
    OUT path text,
    OUT kind "char",
    OUT size int8,
    OUT mode int4,
    OUT mtime timestamptz,
    OUT link_target text,
    OUT checksum bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10000;
COMMENT ON FUNCTION pg_failback_manifest(text, text, pg_lsn, bool, int8) IS
    'files (f), directories (d) and links (l) that a failback could need, relative to the data directory; sizes in bytes; checksums (xxh128, xxh64) of all files or of those that WAL does not track; WAL segments from wal_from on; reading at most max_rate bytes a second (0: no limit) for checksums';

CREATE FUNCTION pg_failback_chunk_checksums(
    path text,
    "offset" int8,
    length int8,
    chunk_size int8 DEFAULT 1048576,
    algorithm text DEFAULT 'xxh128',
    OUT chunk_offset int8,
    OUT chunk_length int8,
    OUT checksum bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION pg_failback_chunk_checksums(text, int8, int8, int8, text) IS
    'checksums of consecutive chunks of a file''s bytes from offset on; ends early where the file ends, no rows for a missing file';

CREATE FUNCTION pg_failback_read_chunks(
    paths text[],
    offsets int8[],
    lengths int8[],
    compression text DEFAULT 'none',
    level int4 DEFAULT NULL,
    verify_pages bool DEFAULT true,
    OUT first_range int4,
    OUT start int8,
    OUT results int8[],
    OUT finished bool,
    OUT compression int2,
    OUT raw_size int4,
    OUT payload bytea,
    OUT checksum bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION pg_failback_read_chunks(text[], int8[], int8[], text, int4, bool) IS
    'content of many ranges of files, packed into few rows: results has the bytes of each range from first_range on, -1 for a file that vanished';

CREATE FUNCTION pg_failback_block_checksums(
    paths text[], offsets int8[], lengths int8[], block_size int4 DEFAULT 8192, digests bytea DEFAULT NULL,
    OUT range_index int4,
    OUT first_offset int8,
    OUT checksums bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION pg_failback_block_checksums(text[], int8[], int8[], int4, bytea) IS
    'xxh128 of every whole block of the given ranges, 16 bytes each, packed: consecutive blocks from first_offset on of range range_index (from 1), at most 512 kB in a row; null for 512 kB of a range whose packed checksums have the xxh128 that stands for them in digests';

CREATE FUNCTION pg_failback_recovery_end(
    OUT lsn pg_lsn,
    OUT timeline int8,
    OUT in_recovery bool)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_recovery_end() IS
    'end of a WAL record that a standby made of files read before this call must replay to';

CREATE FUNCTION pg_failback_hold_wal(lsn pg_lsn) RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_hold_wal(pg_lsn) IS
    'keeps the WAL from lsn on with a temporary replication slot until the session ends or one of its statements fails; returns the slot''s name; fails if that WAL is gone; called again, it looks again';

CREATE FUNCTION pg_failback_release_wal() RETURNS bool
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_release_wal() IS
    'drops the slot of pg_failback_hold_wal; false if there is none';

CREATE FUNCTION pg_failback_reserve_slot(slot_name name, create_slot bool DEFAULT false) RETURNS bool
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_reserve_slot(name, bool) IS
    'makes the physical replication slot keep the WAL that this session holds (pg_failback_hold_wal) for the new standby, creating it if so told; returns whether it was created';

CREATE FUNCTION pg_failback_drop_slot(slot_name name) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_drop_slot(name) IS
    'drops a replication slot that pg_failback_reserve_slot() has created in this session';

CREATE FUNCTION pg_failback_backup_start(fast bool DEFAULT true) RETURNS pg_lsn
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_backup_start(bool) IS
    'starts an online backup of this session, with a checkpoint (at once if fast), so that files read from then on can be repaired by replay; returns where its WAL starts';

CREATE FUNCTION pg_failback_backup_stop() RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_backup_stop() IS
    'ends the online backup of this session without waiting for the WAL archive';

CREATE FUNCTION pg_failback_grant(role regrole) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_grant(regrole) IS
    'lets the role execute every function that a failback needs';

CREATE FUNCTION pg_failback_revoke(role regrole) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION pg_failback_revoke(regrole) IS
    'takes back what pg_failback_grant gave';

REVOKE ALL ON FUNCTION pg_failback_source_state() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_server_id() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_manifest(text, text, pg_lsn, bool, int8) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_chunk_checksums(text, int8, int8, int8, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_read_chunks(text[], int8[], int8[], text, int4, bool) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_block_checksums(text[], int8[], int8[], int4, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_recovery_end() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_hold_wal(pg_lsn) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_release_wal() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_reserve_slot(name, bool) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_drop_slot(name) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_backup_start(bool) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_backup_stop() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_grant(regrole) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_failback_revoke(regrole) FROM PUBLIC;
