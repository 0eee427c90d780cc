-- The way the helper calls the functions, rows come one by one: the backend's memory stays flat
-- however much is read. (A function in FROM is materialized first.)
SET client_min_messages = warning; -- signs of life on a busy machine
SELECT shell('truncate -s 200M regress_flat');
WITH r AS MATERIALIZED (
    SELECT (m).start, (m).raw_size,
           (SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE (m).start >= 0) AS memory
      FROM (SELECT pg_failback_read_chunks(ARRAY['regress_flat'], ARRAY[0], ARRAY[209715200]) AS m OFFSET 0) AS s)
SELECT sum(raw_size), max(memory) - min(memory) < 4000000 AS flat FROM r;
WITH r AS MATERIALIZED (
    SELECT (m).path, row_number() OVER () AS n,
           (SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE (m).size >= 0) AS memory
      FROM (SELECT pg_failback_manifest() AS m OFFSET 0) AS s)
SELECT count(*) > 500 AS many, max(memory) - min(memory) < 4000000 AS flat FROM r;

-- Nothing stays open: not after the end, nor when the cursor is closed or the query fails or is cancelled.
SELECT open_descriptors('regress_flat');
BEGIN;
DECLARE c CURSOR FOR SELECT (m).start FROM (SELECT pg_failback_read_chunks(ARRAY['regress_flat'], ARRAY[0], ARRAY[209715200]) AS m OFFSET 0) AS s;
FETCH 2 FROM c \g /dev/null
SELECT open_descriptors('regress_flat');
CLOSE c;
SELECT open_descriptors('regress_flat');
DECLARE c CURSOR FOR SELECT (m).start FROM (SELECT pg_failback_read_chunks(ARRAY['regress_flat'], ARRAY[0], ARRAY[209715200]) AS m OFFSET 0) AS s;
FETCH 1 FROM c \g /dev/null
ROLLBACK;
SELECT open_descriptors('regress_flat');
SELECT refusal('SELECT 1 / ((m).first_range - 1) FROM (SELECT pg_failback_read_chunks(ARRAY[''regress_flat''], ARRAY[0], ARRAY[209715200]) AS m OFFSET 0) AS s');
SELECT open_descriptors('regress_flat');
SELECT (m).start FROM (SELECT pg_failback_read_chunks(ARRAY['regress_flat'], ARRAY[0], ARRAY[209715200]) AS m OFFSET 0) AS s LIMIT 1;
SELECT open_descriptors('regress_flat');
-- A million million bytes of holes would take minutes.
SELECT shell('truncate -s 1000000000000 regress_flat');
SET statement_timeout = '200ms';
SELECT count(*) FROM pg_failback_chunk_checksums('regress_flat', 0, 1000000000000, 1000000000);
SELECT count(*) FROM pg_failback_manifest('xxh128');
RESET statement_timeout;
SELECT open_descriptors('regress_flat');
SELECT shell('rm regress_flat');
