-- What is listed, and what is not.
SET client_min_messages = warning; -- signs of life on a busy machine
SELECT path, kind, link_target, checksum
  FROM pg_failback_manifest()
 WHERE path IN ('base', 'global', 'pg_wal', 'pg_notify', 'pg_replslot', 'PG_VERSION', 'postgresql.conf')
   AND (kind = 'd' OR size > 0)
 ORDER BY path COLLATE "C";
SELECT count(*)
  FROM pg_failback_manifest()
 WHERE path IN ('global/pg_control', 'postmaster.pid', 'postmaster.opts', 'log', 'log/server.log', 'regress_link',
                'regress_fifo', 'regress.key', 'current_logfiles')
    OR path LIKE 'pg_wal/_%' OR path LIKE 'pg_notify/%' OR path LIKE 'pg_replslot/%' OR path LIKE '%pgsql_tmp%'
    OR path LIKE '%pg_internal.init%' OR path LIKE '/%' OR path LIKE '%..%';

-- A directory comes before what is in it, and nothing comes twice.
WITH m AS (SELECT path, kind, row_number() OVER () AS n FROM pg_failback_manifest())
SELECT count(*) FILTER (WHERE d.path IS NULL) AS without_directory,
       count(*) FILTER (WHERE d.n > f.n) AS before_directory
  FROM m f LEFT JOIN m d ON d.path = regexp_replace(f.path, '/[^/]*$', '')
 WHERE f.path LIKE '%/%';
SELECT count(*) = count(DISTINCT path) AS once FROM pg_failback_manifest();

-- Sizes, modes and times are the file's.
SELECT m.size = s.size AS size, date_trunc('second', m.mtime) = s.modification AS mtime, m.mode = 384 AS mode_0600
  FROM pg_failback_manifest() m, pg_stat_file('PG_VERSION') s
 WHERE m.path = 'PG_VERSION';

-- Relations: unlogged ones have their _init fork only, temporary ones nothing.
CREATE TABLE regress_logged AS SELECT 1 AS a;
CREATE UNLOGGED TABLE regress_unlogged AS SELECT 1 AS a;
CREATE TEMP TABLE regress_temporary AS SELECT 1 AS a;
CHECKPOINT;
SELECT c.relname, replace(m.path, pg_relation_filepath(c.oid), '') AS rest, m.kind
  FROM pg_class c LEFT JOIN pg_failback_manifest() m ON starts_with(m.path, pg_relation_filepath(c.oid))
 WHERE c.relname LIKE 'regress!_%' ESCAPE '!'
 ORDER BY 1, 2;

-- Checksums: of all, or of what WAL does not track block by block.
SELECT checksum_of, bool_and(CASE WHEN tracked AND checksum_of = 'untracked' THEN checksum IS NULL
                                  ELSE length(checksum) = 16 END) AS as_asked,
       count(*) FILTER (WHERE tracked) > 0 AS some_tracked
  FROM unnest(ARRAY['all', 'untracked']) AS checksum_of,
       LATERAL (SELECT m.*, m.path ~ '^(base/\d+|global)/\d+(\.\d+)?$' AS tracked
                  FROM pg_failback_manifest('xxh128', checksum_of) m WHERE m.kind = 'f') AS m
 GROUP BY 1 ORDER BY 1;
SELECT m.path, m.checksum = c.checksum AS same
  FROM pg_failback_manifest('xxh64') m, pg_failback_chunk_checksums(m.path, 0, 1000000, 1000000, 'xxh64') c
 WHERE m.path IN ('PG_VERSION', 'postgresql.conf') ORDER BY 1;
SELECT shell('printf "" > regress_empty; printf abc > regress_abc');
SELECT path, size, checksum FROM pg_failback_manifest('xxh64') WHERE path IN ('regress_empty', 'regress_abc') ORDER BY 1;
SELECT path, size, checksum FROM pg_failback_manifest('xxh128') WHERE path IN ('regress_empty', 'regress_abc') ORDER BY 1;
SELECT count(*) FROM pg_failback_manifest('none') WHERE checksum IS NOT NULL;
-- At a rate at which it takes a second.
SELECT sum(size)::int8 AS a_second FROM pg_failback_manifest('xxh64', 'untracked') WHERE checksum IS NOT NULL \gset
SELECT clock_timestamp() AS begun \gset
SELECT count(*) > 100 AS many FROM pg_failback_manifest('xxh64', 'untracked', max_rate => :a_second);
SELECT clock_timestamp() - :'begun' >= interval '0.9 s' AS as_slow_as_asked;

-- Our own working files and other servers' settings are not for others.
SELECT shell('mkdir -p pg_failback.staging && touch pg_failback.staging/x postgresql.conf.source .s.PGSQL.1.lock');
SELECT count(*) FROM pg_failback_manifest()
 WHERE path LIKE 'pg_failback.%' OR path LIKE '%.source' OR path LIKE '.s.%';
SELECT shell('rm -r pg_failback.staging postgresql.conf.source .s.PGSQL.1.lock regress_empty regress_abc');

-- WAL: the segments from wal_from to the current one, whatever else lies there.
SELECT shell('cd pg_wal; head -c 16777216 /dev/zero > 0000000100000FFF00000001; head -c 16777216 /dev/zero > 000000070000000000000001;'
             'touch 00000001000000000000000A.partial 000000010000000000000000');
SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS first_segment, pg_current_wal_insert_lsn() AS first_lsn \gset
SELECT pg_walfile_name(pg_switch_wal()) = :'first_segment' AS switched;
CREATE TABLE regress_more AS SELECT 1 AS a;
SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS last_segment \gset
SELECT array_agg(path ORDER BY path) = ARRAY['pg_wal/' || :'first_segment', 'pg_wal/' || :'last_segment'] AS as_needed
  FROM pg_failback_manifest(wal_from => :'first_lsn') WHERE path LIKE 'pg_wal/%';
SELECT array_agg(path) = ARRAY['pg_wal/' || :'last_segment'] AS only_last
  FROM pg_failback_manifest(wal_from => pg_current_wal_insert_lsn()) WHERE path LIKE 'pg_wal/%';
SELECT shell('cd pg_wal; rm 0000000100000FFF00000001 000000070000000000000001 00000001000000000000000A.partial 000000010000000000000000');

-- Tablespaces: this version's directory of each.
SELECT shell('mkdir regress_space');
SELECT current_setting('data_directory') || '/regress_space' AS space \gset
SET client_min_messages = error; -- it lies inside the data directory
CREATE TABLESPACE regress_space LOCATION :'space';
CREATE TABLE regress_there TABLESPACE regress_space AS SELECT 1 AS a;
SELECT shell('mkdir -p regress_space/PG_9.6_201608131/1 && touch regress_space/PG_9.6_201608131/1/2');
SELECT path = pg_relation_filepath('regress_there') AS is_relation, kind, link_target = :'space' AS link_target, size
  FROM pg_failback_manifest() WHERE path LIKE 'pg_tblspc/_%' ORDER BY path COLLATE "C";
SELECT results FROM pg_failback_read_chunks(ARRAY[pg_relation_filepath('regress_there')], ARRAY[0], ARRAY[8192]);
DROP TABLE regress_there;
DROP TABLESPACE regress_space;
SELECT shell('rm -r regress_space');

-- Refusals.
SELECT refusal('SELECT * FROM pg_failback_manifest(''md5'')');
SELECT refusal('SELECT * FROM pg_failback_manifest(NULL)');
SELECT refusal('SELECT * FROM pg_failback_manifest(''xxh128'', ''some'')');
SELECT refusal('SELECT * FROM pg_failback_manifest(private_keys => NULL)');
SELECT refusal('SELECT * FROM pg_failback_manifest(max_rate => NULL)');
SELECT refusal('SELECT * FROM pg_failback_manifest(max_rate => -1)');
DROP TABLE regress_logged, regress_unlogged, regress_temporary, regress_more;
