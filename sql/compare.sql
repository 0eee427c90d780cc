-- Checksums of every block: whole blocks only, many ranges at once, the same as of the blocks one by one.
CREATE TABLE regress_blocks AS SELECT i, repeat('x', 100) AS f FROM generate_series(1, 5000) AS i;
CHECKPOINT;
SELECT pg_relation_filepath('regress_blocks') AS p \gset
SELECT size AS p_size FROM pg_stat_file(:'p') \gset
SELECT string_agg(b.checksums, ''::bytea ORDER BY b.first_offset) = (
           SELECT string_agg(c.checksum, ''::bytea ORDER BY c.chunk_offset)
             FROM pg_failback_chunk_checksums(:'p', 0, :p_size, 8192) AS c) AS same,
       sum(length(b.checksums)) = :p_size / 8192 * 16 AS all_there, bool_and(b.range_index = 1) AS one_range,
       count(*) > 1 AS several_rows
  FROM pg_failback_block_checksums(ARRAY[:'p'], ARRAY[0], ARRAY[:p_size]) AS b;
SELECT b.range_index, b.first_offset, length(b.checksums)
  FROM pg_failback_block_checksums(ARRAY[:'p', 'regress_none', 'PG_VERSION', :'p', :'p'], ARRAY[0, 0, 0, 8192, 0],
                                   ARRAY[16384, 8192, 8192, 8192, 10000]) AS b;
SELECT length(checksums) FROM pg_failback_block_checksums(ARRAY[:'p'], ARRAY[0], ARRAY[8192], 512);
SELECT count(*) FROM pg_failback_block_checksums('{}', '{}', '{}');
-- Chunks of 512 kB whose digest the caller has: no checksums, unless the file ends in it.
CREATE FUNCTION regress_digest(sums bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    object oid := lo_from_bytea(0, sums);
    digest bytea;
BEGIN
    PERFORM lo_export(object, current_setting('data_directory') || '/regress_sums'), lo_unlink(object);
    SELECT checksum INTO digest FROM pg_failback_chunk_checksums('regress_sums', 0, 1048576);
    RETURN digest;
END
$$;
CREATE TABLE regress_digests AS
SELECT b.*, regress_digest(b.checksums) AS digest
  FROM pg_failback_block_checksums(ARRAY[:'p', :'p'], ARRAY[0, 8192], ARRAY[:p_size, 8192]) AS b;
SELECT count(*) > 2 AS several_chunks, max(length(checksums)) AS of_512_kb FROM regress_digests;
SELECT string_agg(digest, ''::bytea ORDER BY range_index, first_offset) AS digests FROM regress_digests \gset
SELECT count(*) = (SELECT count(*) FROM regress_digests) AS all_rows, bool_and(checksums IS NULL) AS all_known
  FROM pg_failback_block_checksums(ARRAY[:'p', :'p'], ARRAY[0, 8192], ARRAY[:p_size, 8192], 8192, :'digests');
SELECT b.range_index, b.first_offset, b.checksums = d.checksums AS told
  FROM pg_failback_block_checksums(ARRAY[:'p', :'p'], ARRAY[0, 8192], ARRAY[:p_size, 8192], 8192,
                                   set_byte(:'digests', 16, get_byte(:'digests', 16) # 1)) AS b
  JOIN regress_digests AS d USING (range_index, first_offset)
 WHERE b.checksums IS NOT NULL;
-- Of a range that goes beyond the end of its file, and after others that have digests of their own.
SELECT b.range_index, b.checksums IS NULL AS known
  FROM pg_failback_block_checksums(ARRAY['regress_none', 'PG_VERSION', :'p', :'p'], ARRAY[0, 0, :p_size - 8192, 8192],
                                   ARRAY[524289, 8192, 16384, 8192], 8192,
                                   decode(repeat('00', 3 * 16), 'hex') || regress_digest((SELECT substr(checksums, length(checksums) - 15)
                                       FROM regress_digests WHERE range_index = 1 ORDER BY first_offset DESC LIMIT 1))
                                   || (SELECT digest FROM regress_digests WHERE range_index = 2)) AS b;
DROP TABLE regress_digests;
DROP FUNCTION regress_digest;
DROP TABLE regress_blocks;

-- Refusals: the ranges as pg_failback_read_chunks refuses them.
SELECT refusal('SELECT * FROM pg_failback_block_checksums(' || arguments || ')')
  FROM unnest(ARRAY[
      'NULL, ARRAY[0], ARRAY[1]',
      'ARRAY[''../x''], ARRAY[0], ARRAY[1]',
      'ARRAY[''postmaster.pid''], ARRAY[0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[-1], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0, 0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], NULL',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], 0',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], 8191',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], 131072',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1], 8192, ''''',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[524289], 8192, ''\x00112233445566778899aabbccddeeff''',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[0], 8192, ''\x00''']) WITH ORDINALITY AS t(arguments, n)
 ORDER BY n;

-- A backup around a comparison, by a role that may nothing else.
CREATE ROLE regress_compare;
SELECT pg_failback_grant('regress_compare');
SELECT pg_current_wal_insert_lsn() AS before \gset
SET ROLE regress_compare;
SELECT pg_failback_backup_start() >= :'before' AS started;
SELECT refusal('SELECT pg_failback_backup_start()') ~ '^55000' AS once;
SELECT pg_failback_backup_stop();
SELECT refusal('SELECT pg_failback_backup_stop()') ~ '^55000' AS none_left;
SELECT refusal('SELECT pg_failback_backup_start(NULL)');
RESET ROLE;
SELECT pg_failback_revoke('regress_compare');
DROP ROLE regress_compare;
