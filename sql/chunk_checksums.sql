-- Chunks from the offset on; the last one is as long as the file.
SELECT shell('head -c 10000 /dev/zero > regress_zero; printf abc >> regress_zero');
SELECT chunk_offset, chunk_length, checksum FROM pg_failback_chunk_checksums('regress_zero', 0, 1000000, 4096);
SELECT chunk_offset, chunk_length, checksum FROM pg_failback_chunk_checksums('regress_zero', 0, 1000000, 4096, 'xxh64');
-- The same bytes have the same checksum wherever they stand and however long a read is.
SELECT chunk_offset, chunk_length, checksum FROM pg_failback_chunk_checksums('regress_zero', 10000, 1000000, 4096, 'xxh64');
SELECT chunk_offset, chunk_length FROM pg_failback_chunk_checksums('regress_zero', 5000, 5000, 4096);
SELECT count(DISTINCT checksum) FROM (
    SELECT checksum FROM pg_failback_chunk_checksums('regress_big', 0, 3000000, 1000000)
    UNION ALL SELECT checksum FROM pg_failback_chunk_checksums('regress_big', 77, 1000000, 1000000)) AS t;
-- At the end, beyond it, of nothing, and of no file.
SELECT count(*) FROM pg_failback_chunk_checksums('regress_zero', 10003, 10);
SELECT count(*) FROM pg_failback_chunk_checksums('regress_zero', 1000000, 10);
SELECT count(*) FROM pg_failback_chunk_checksums('regress_zero', 0, 0);
SELECT count(*) FROM pg_failback_chunk_checksums('regress_none', 0, 10);
SELECT count(*) FROM pg_failback_chunk_checksums(NULL, 0, 10);
SELECT shell('rm regress_zero');

-- Refusals.
SELECT refusal('SELECT * FROM pg_failback_chunk_checksums(' || arguments || ')')
  FROM unnest(ARRAY['''PG_VERSION'', -1, 1', '''PG_VERSION'', 0, -1', '''PG_VERSION'', 9223372036854775807, 1',
                    '''PG_VERSION'', 0, 1, 0', '''PG_VERSION'', 0, 1, 511', '''PG_VERSION'', 0, 1, 1073741825',
                    '''PG_VERSION'', 0, 1, 1024, ''md5''']) WITH ORDINALITY AS t(arguments, n)
 ORDER BY n;
