-- The row agrees with what the server says elsewhere.
CHECKPOINT;
SELECT s.library_version,
       s.server_version_num / 10000 = current_setting('server_version_num')::int / 10000 AS version,
       s.system_identifier = y.system_identifier AS system_identifier,
       s.pg_control_version = y.pg_control_version AS control_version,
       s.catalog_version = y.catalog_version_no AS catalog_version,
       s.block_size = current_setting('block_size')::int AS block_size,
       s.relation_segment_blocks = i.blocks_per_segment AS segment_blocks,
       s.wal_block_size = current_setting('wal_block_size')::int AS wal_block_size,
       s.wal_segment_size = i.bytes_per_wal_segment AS wal_segment_size,
       s.data_checksums, s.wal_log_hints, s.full_page_writes,
       s.wal_level = current_setting('wal_level') AS wal_level,
       s.in_recovery, s.timeline,
       s.checkpoint = c.checkpoint_lsn AS checkpoint,
       s.redo = c.redo_lsn AS redo,
       s.current_lsn >= c.checkpoint_lsn AND s.current_lsn <= pg_current_wal_insert_lsn() AS current_lsn,
       s.log_directory, s.history,
       s.max_connections = current_setting('max_connections')::int AS connections,
       s.max_worker_processes = current_setting('max_worker_processes')::int AS workers,
       s.max_wal_senders = current_setting('max_wal_senders')::int AS senders,
       s.max_prepared_transactions,
       s.max_locks_per_transaction = current_setting('max_locks_per_transaction')::int AS locks,
       length(s.control_file)
  FROM pg_failback_source_state() s, pg_control_system() y, pg_control_init() i, pg_control_checkpoint() c \gx

SELECT s.control_file = pg_read_binary_file('global/pg_control') AS same_image FROM pg_failback_source_state() s;

-- Which server this is: the same in every database and session, and whatever is written; nothing of it can be read off.
\set here :DBNAME
SELECT pg_failback_server_id() AS id \gset
SELECT :'id' ~ '^[0-9a-f]{32}$' AS hash;
CREATE DATABASE regress_other;
\c regress_other
CREATE EXTENSION pg_failback;
CHECKPOINT;
SELECT pg_failback_server_id() = :'id' AS same;
\c :here
DROP DATABASE regress_other;
-- PG_VERSION is another file, as in a copy of the data directory; it is put back.
SELECT shell('cp -p PG_VERSION regress_copy && mv PG_VERSION regress_kept && mv regress_copy PG_VERSION');
SELECT pg_failback_server_id() = :'id' AS same;
SELECT shell('mv regress_kept PG_VERSION');
SELECT pg_failback_server_id() = :'id' AS same;
