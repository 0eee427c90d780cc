-- Paths that are not safe.
SELECT path, refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', path))
  FROM unnest(ARRAY['', '/etc/passwd', '..', '../x', 'base/../../x', 'base/..', '.', './x', 'base/./x', 'base//x',
                    'base/', E'base/a\nb', E'base/a\x7f']) WITH ORDINALITY AS t(path, n)
 ORDER BY n;
SELECT refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', repeat('a', 1024)))
       LIKE '22023: %The path is too long.%' AS too_long;
SELECT path, refusal(format('SELECT * FROM pg_failback_chunk_checksums(%L, 0, 10)', path))
  FROM unnest(ARRAY['', '/etc/passwd', '../x', 'base//x']) WITH ORDINALITY AS t(path, n)
 ORDER BY n;

-- Files that are never served, even to a superuser. None of these names has to exist.
SELECT path, refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', path))
  FROM unnest(ARRAY['postmaster.pid', 'postmaster.opts', 'backup_label', 'tablespace_map', 'backup_manifest',
                    'current_logfiles', 'pg_replslot/s/state', 'pg_notify/0000', 'pg_stat_tmp/x', 'base/pgsql_tmp/pgsql_tmp1.0',
                    'base/5/pg_internal.init', 'base/5/t3_16384', 'pg_wal/archive_status/x.ready', 'pg_wal/x.partial',
                    'log/server.log', 'log', 'pg_failback.staging/x', 'pg_wal/pg_failback.x']) WITH ORDINALITY AS t(path, n)
 ORDER BY n;
SELECT refusal('SELECT * FROM pg_failback_chunk_checksums(''postmaster.pid'', 0, 10)');

-- The check is on every path, wherever it stands.
SELECT refusal('SELECT * FROM pg_failback_read_chunks(ARRAY[''PG_VERSION'', ''PG_VERSION'', ''postmaster.pid''], ARRAY[0,1,0], ARRAY[1,1,1])');

-- Links lead nowhere, and only regular files are read; a FIFO does not make anybody wait.
SELECT path, refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', path))
  FROM unnest(ARRAY['regress_link', 'regress_link/passwd', 'regress_fifo', 'base', 'pg_wal']) WITH ORDINALITY AS t(path, n)
 ORDER BY n;
SELECT refusal('SELECT * FROM pg_failback_chunk_checksums(''regress_link/passwd'', 0, 10)');

-- Private keys: superusers only.
SELECT convert_from(payload, 'UTF8') FROM pg_failback_read_chunks(ARRAY['regress.key'], ARRAY[0], ARRAY[6]);
SELECT count(*) FROM pg_failback_manifest() WHERE path = 'regress.key';
SELECT count(*) FROM pg_failback_manifest(private_keys => true) WHERE path = 'regress.key';
CREATE ROLE regress_paths;
SELECT pg_failback_grant('regress_paths');
SET ROLE regress_paths;
SELECT refusal('SELECT * FROM pg_failback_read_chunks(ARRAY[''regress.key''], ARRAY[0], ARRAY[6])');
SELECT refusal('SELECT * FROM pg_failback_manifest(private_keys => true)');
SELECT convert_from(payload, 'UTF8') ~ '^\d+\n$' AS version
  FROM pg_failback_read_chunks(ARRAY['PG_VERSION'], ARRAY[0], ARRAY[10]);
RESET ROLE;
SELECT pg_failback_revoke('regress_paths');
DROP ROLE regress_paths;
