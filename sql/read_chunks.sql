-- A relation of several rows, not a multiple of the row's payload, equal to what the server reads.
CREATE TABLE regress_t AS SELECT i, repeat('x', 100) AS f FROM generate_series(1, 10000) AS i;
CHECKPOINT;
SELECT pg_relation_filepath('regress_t') AS t \gset
SELECT size AS t_size FROM pg_stat_file(:'t') \gset
SELECT compression_asked,
       string_agg(payload, ''::bytea ORDER BY start) FILTER (WHERE compression_asked = 'none')
           = pg_read_binary_file(:'t') AS same,
       sum(r.raw_size) = :t_size AS size,
       bool_and(length(r.checksum) = 16) AS checksums,
       bool_and(r.first_range = 1 AND r.results = ARRAY[r.raw_size]::int8[]) AS one_range,
       count(*) FILTER (WHERE r.finished) AS finished,
       sum(length(r.payload)) < :t_size AS smaller
  FROM unnest(ARRAY['none', 'lz4', 'zstd']) AS compression_asked,
       pg_failback_read_chunks(ARRAY[:'t'], ARRAY[0], ARRAY[:t_size], compression_asked) AS r
 GROUP BY 1 ORDER BY 1;
-- A page is not torn apart between two rows.
SELECT count(*) FILTER (WHERE start % 8192 <> 0) FROM pg_failback_read_chunks(ARRAY[:'t'], ARRAY[0], ARRAY[:t_size]);

-- Many ranges in one row: in order, short where the file ends, -1 where there is none.
SELECT first_range, start, results, finished, compression, raw_size, length(payload)
  FROM pg_failback_read_chunks(
           ARRAY['PG_VERSION', :'t', 'regress_none', :'t', 'base/1/no/PG_VERSION', 'PG_VERSION', 'PG_VERSION', 'PG_VERSION/x'],
           ARRAY[0, 8192, 0, 0, 0, 1, 100, 0], ARRAY[1, 8192, 10, 0, 10, 100, 10, 10]);
SELECT r.payload = substring(pg_read_binary_file('PG_VERSION') FROM 1 FOR 1) || pg_read_binary_file(:'t', 8192, 8192)
                   || substring(pg_read_binary_file('PG_VERSION') FROM 2) AS same
  FROM pg_failback_read_chunks(ARRAY['PG_VERSION', :'t', 'PG_VERSION'], ARRAY[0, 8192, 1], ARRAY[1, 8192, 100]) AS r;

-- Scattered blocks, backwards: packed, and each what it should be.
WITH asked AS (
    SELECT array_agg(:'t'::text ORDER BY b DESC) AS paths, array_agg(b * 8192 ORDER BY b DESC) AS offsets,
           array_agg(8192::int8 ORDER BY b DESC) AS lengths, count(*) AS n
      FROM generate_series(0, :t_size / 8192 - 1, 2) AS b),
answer AS (
    SELECT r.* FROM asked, pg_failback_read_chunks(paths, offsets, lengths) AS r),
parts AS (
    SELECT a.first_range + p.n - 1 AS range, substring(a.payload FROM (p.n::int - 1) * 8192 + 1 FOR 8192) AS content
      FROM answer a, unnest(a.results) WITH ORDINALITY AS p(size, n))
SELECT count(*) = max(asked.n) AS all_there, count(DISTINCT range) = max(asked.n) AS once,
       bool_and(content = pg_read_binary_file(:'t', asked.offsets[range], 8192)) AS same,
       (SELECT count(*) < max(asked.n) / 4 FROM answer) AS packed
  FROM parts, asked;

-- Nothing asked for, and a file that is gone.
SELECT count(*) FROM pg_failback_read_chunks('{}', '{}', '{}');
SELECT first_range, results, finished, length(payload) FROM pg_failback_read_chunks(ARRAY['regress_none'], ARRAY[0], ARRAY[10]);
SELECT count(*), sum(cardinality(results)), count(*) FILTER (WHERE finished)
  FROM (SELECT r.* FROM (SELECT array_agg('regress_none'::text) AS p, array_agg(0::int8) AS o, array_agg(1::int8) AS l
                           FROM generate_series(1, 65536)) a, pg_failback_read_chunks(p, o, l) r) r;
SELECT format('pg_tblspc/99999/PG_%s_%s/2/3', current_setting('server_version_num')::int / 10000, catalog_version_no) AS gone
  FROM pg_control_system() \gset
SELECT results FROM pg_failback_read_chunks(ARRAY[:'gone', 'pg_wal/000000990000000000000001'], ARRAY[0, 0], ARRAY[1, 1]);

-- Offsets beyond 2 and 4 GB. Earlier tools stopped at 2148254528.
SELECT shell('truncate -s 2148254528 regress_big && printf end >> regress_big && truncate -s 5000000000 regress_big && printf far >> regress_big');
SELECT results, convert_from(payload, 'UTF8')
  FROM pg_failback_read_chunks(ARRAY['regress_big', 'regress_big', 'regress_big', 'regress_big'],
                               ARRAY[2148254528, 5000000000, 5000000001, 5000000003], ARRAY[3, 100, 1, 1]);
SELECT chunk_offset, chunk_length, checksum FROM pg_failback_chunk_checksums('regress_big', 2148254528, 3, algorithm => 'xxh64');
SELECT chunk_offset, chunk_length FROM pg_failback_chunk_checksums('regress_big', 4999999999, 9000000000000000000, 1024);
SELECT size FROM pg_failback_manifest() WHERE path = 'regress_big';

-- What does not shrink is sent as it is.
SELECT shell('head -c 200000 /dev/urandom > regress_random');
SELECT DISTINCT compression, raw_size = length(payload) AS plain
  FROM pg_failback_read_chunks(ARRAY['regress_random'], ARRAY[0], ARRAY[200000], 'zstd', 19);
SELECT string_agg(payload, ''::bytea ORDER BY start) = pg_read_binary_file('regress_random') AS same
  FROM pg_failback_read_chunks(ARRAY['regress_random'], ARRAY[0], ARRAY[200000], 'lz4');
SELECT shell('rm regress_random');

-- Refusals.
SELECT refusal('SELECT * FROM pg_failback_read_chunks(' || arguments || ')')
  FROM unnest(ARRAY[
      'NULL, ARRAY[0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], NULL, ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], NULL',
      'ARRAY[''PG_VERSION'', NULL], ARRAY[0, 0], ARRAY[1, 1]',
      'ARRAY[''PG_VERSION''], ARRAY[NULL]::int8[], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[NULL]::int8[]',
      'ARRAY[[''PG_VERSION''], [''PG_VERSION'']], ARRAY[0, 0], ARRAY[1, 1]',
      'ARRAY[''PG_VERSION'', ''PG_VERSION''], ARRAY[[0], [0]], ARRAY[1, 1]',
      'ARRAY[''PG_VERSION''], ARRAY[0, 0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], ''{}''',
      'ARRAY[''PG_VERSION''], ARRAY[-1], ARRAY[1]',
      'ARRAY[''PG_VERSION'', ''PG_VERSION''], ARRAY[0, 0], ARRAY[1, -1]',
      'ARRAY[''PG_VERSION''], ARRAY[9223372036854775807], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1073741825]',
      'ARRAY[''PG_VERSION'', ''PG_VERSION''], ARRAY[0, 0], ARRAY[1073741824, 1]',
      'array_fill(''PG_VERSION''::text, ARRAY[65537]), array_fill(0::int8, ARRAY[65537]), array_fill(1::int8, ARRAY[65537])',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], ''gzip''',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], NULL',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], ''none'', 1',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], ''zstd'', 23',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], ''lz4'', 0',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], ''none'', NULL, NULL']) WITH ORDINALITY AS t(arguments, n)
 ORDER BY n;
DROP TABLE regress_t;
