-- A damaged page is found, named and not sent, unless one asks for it.
CREATE TABLE regress_pages AS SELECT i, repeat('x', 100) AS f FROM generate_series(1, 1000) AS i;
SELECT pg_relation_filepath('regress_pages') AS p \gset
-- Twice: so that the redo pointer lies after the pages' LSN.
CHECKPOINT;
SELECT pg_switch_wal() IS NOT NULL AS switched;
CHECKPOINT;
SELECT finished, results FROM pg_failback_read_chunks(ARRAY[:'p'], ARRAY[0], ARRAY[24576]);
SELECT shell(format('printf Z | dd of=%s bs=1 seek=%s conv=notrunc status=none', :'p', 8192 + 4000));

SELECT replace(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[24576])', :'p')), :'p', 'PATH');
-- Wherever the page comes to lie in the row.
SELECT replace(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[''PG_VERSION'', %L], ARRAY[0, 1], ARRAY[1, 20000])', :'p')), :'p', 'PATH');
SELECT results FROM pg_failback_read_chunks(ARRAY[:'p', :'p'], ARRAY[0, 16384], ARRAY[8192, 8192]);
-- Only whole pages can be judged.
SELECT results FROM pg_failback_read_chunks(ARRAY[:'p'], ARRAY[8193], ARRAY[8192]);
SELECT finished, results FROM pg_failback_read_chunks(ARRAY[:'p'], ARRAY[0], ARRAY[24576], verify_pages => false);
-- The name decides whether it is a page.
SELECT shell(format('cp %s regress_copy', :'p'));
SELECT finished, results FROM pg_failback_read_chunks(ARRAY['regress_copy'], ARRAY[0], ARRAY[24576]);

-- An LSN from the future does not excuse it.
SELECT shell(format('printf "\377\377\377\177" | dd of=%s bs=1 seek=%s conv=notrunc status=none', :'p', 8192));
SELECT replace(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[24576])', :'p')), :'p', 'PATH');
-- A page of zeros is a new page; one that only claims to be is not.
SELECT shell(format('dd if=/dev/zero of=%s bs=8192 seek=1 count=1 conv=notrunc status=none', :'p'));
SELECT finished, results FROM pg_failback_read_chunks(ARRAY[:'p'], ARRAY[0], ARRAY[24576]);
SELECT shell(format('printf Z | dd of=%s bs=1 seek=%s conv=notrunc status=none', :'p', 8192 + 4000));
SELECT replace(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[24576])', :'p')), :'p', 'PATH');

-- The block number counts from the relation's start, not the segment's.
SELECT shell(format('cp %s %s.1', 'regress_copy', :'p'));
SELECT replace(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[8192])', :'p' || '.1')), :'p', 'PATH');
SELECT shell(format('rm %s.1 regress_copy', :'p'));
DROP TABLE regress_pages;
