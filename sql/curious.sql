-- A role that may execute everything, and is curious: what it reads is a failback's files and nothing else.
CREATE ROLE regress_curious;
SELECT pg_failback_grant('regress_curious');
SELECT shell('mkdir ../regress_space && mkdir regress_odd && ln -s /etc regress_odd/link');
SELECT current_setting('data_directory') || '/../regress_space' AS place \gset
CREATE TABLESPACE regress_space LOCATION :'place';
CREATE TABLE regress_spaced TABLESPACE regress_space AS SELECT 1 AS a;
CHECKPOINT;
SELECT oid AS space FROM pg_tablespace WHERE spcname = 'regress_space' \gset
SELECT regexp_replace(pg_relation_filepath('regress_spaced'), '/[^/]*$', '') AS spaced \gset
-- What others keep beside it, and a link in it.
SELECT shell('echo neighbour > ../regress_space/neighbour && mkdir ../regress_space/PG_9_1 && echo older > ../regress_space/PG_9_1/file');
SELECT shell('ln -s /etc/passwd ' || :'spaced' || '/77777 && ln -s /etc ' || :'spaced' || '/etc');
-- A link among those of tablespaces that is none.
SELECT shell('ln -s /etc pg_tblspc/88888 && ln -s /etc pg_tblspc/regress_etc');

CREATE TABLE asked (n int, what text, path text);
GRANT SELECT ON asked TO regress_curious;
INSERT INTO asked VALUES
    (1, 'absolute', '/etc/passwd'),
    (2, 'upwards', 'base/../../regress_space/neighbour'),
    (3, 'through a link', 'regress_link/passwd'),
    (4, 'through a link in a directory', 'regress_odd/link/passwd'),
    (5, 'a key by its name', 'regress.key'),
    (6, 'the key that a link names', 'regress_secret'),
    (7, 'its second name', 'regress_second'),
    (8, 'the link itself', 'regress_tls/link'),
    (9, 'beside a tablespace', format('pg_tblspc/%s/neighbour', :'space')),
    (10, 'another major''s tablespace', format('pg_tblspc/%s/PG_9_1/file', :'space')),
    (11, 'a link in a tablespace', :'spaced' || '/77777'),
    (12, 'through a link in a tablespace', :'spaced' || '/etc/passwd'),
    (13, 'behind what is no tablespace', 'pg_tblspc/88888/passwd'),
    (14, 'behind another link', 'pg_tblspc/regress_etc/passwd'),
    (15, 'server log', 'log/server.log'),
    (16, 'no link of a tablespace', regexp_replace(:'spaced', '/\d+/', '/88888/') || '/1'),
    (20, 'a file', 'PG_VERSION'),
    (21, 'a relation in a tablespace', (SELECT pg_relation_filepath('regress_spaced')));
SET ROLE regress_curious;
SELECT what,
       left(refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', path)), 11) AS read_chunks,
       left(refusal(format('SELECT * FROM pg_failback_chunk_checksums(%L, 0, 10)', path)), 11) AS chunk_checksums,
       left(refusal(format('SELECT * FROM pg_failback_block_checksums(ARRAY[%L], ARRAY[0], ARRAY[8192])', path)), 11) AS block_checksums
  FROM asked ORDER BY n;
-- Beyond tablespaces, links are not there; nor are keys.
SELECT a.what, m.kind FROM pg_failback_manifest('xxh128') m JOIN asked a USING (path) ORDER BY a.n;
SELECT count(*) FROM pg_failback_manifest()
 WHERE path LIKE '%passwd%' OR path LIKE '%neighbour%' OR path LIKE '%PG!_9!_1%' ESCAPE '!' OR path LIKE 'pg_tblspc/88888/%' OR path LIKE '%regress!_etc%' ESCAPE '!';
RESET ROLE;
-- A superuser may ask.
SELECT what, refusal(format('SELECT * FROM pg_failback_read_chunks(ARRAY[%L], ARRAY[0], ARRAY[10])', path)) FROM asked WHERE n IN (5, 6, 7) ORDER BY n;
SELECT path FROM pg_failback_manifest(private_keys => true) WHERE path ~ '^regress[._](key|sec)' ORDER BY 1;
SELECT count(*) FROM pg_failback_manifest() WHERE path ~ '^regress[._](key|sec)';

-- Its own functions, operators and types in front of PostgreSQL's are not taken for them.
SET client_min_messages = warning;
CREATE SCHEMA regress_traps AUTHORIZATION regress_curious;
SET ROLE regress_curious;
CREATE TABLE regress_traps.log (what text);
CREATE FUNCTION regress_traps.trap(text) RETURNS bool LANGUAGE sql AS $$INSERT INTO regress_traps.log VALUES ($1) RETURNING true$$;
CREATE FUNCTION regress_traps.eq(oid, oid) RETURNS bool LANGUAGE sql AS $$SELECT regress_traps.trap('oid = oid')$$;
CREATE OPERATOR regress_traps.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = regress_traps.eq);
CREATE FUNCTION regress_traps.ne(name, name) RETURNS bool LANGUAGE sql AS $$SELECT regress_traps.trap('name <> name')$$;
CREATE OPERATOR regress_traps.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = regress_traps.ne);
CREATE FUNCTION regress_traps.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$SELECT regress_traps.trap('format')::text$$;
CREATE FUNCTION regress_traps.has_schema_privilege(oid, oid, text) RETURNS bool LANGUAGE sql AS $$SELECT regress_traps.trap('has_schema_privilege')$$;
CREATE DOMAIN regress_traps.regclass AS text;
CREATE DOMAIN regress_traps.name AS text;
GRANT ALL ON SCHEMA regress_traps TO PUBLIC;
GRANT ALL ON regress_traps.log TO PUBLIC;
RESET ROLE;
SET search_path = regress_traps, pg_catalog, public;
SELECT public.pg_failback_grant('regress_curious');
SELECT public.pg_failback_revoke('regress_curious');
SELECT public.pg_failback_grant('regress_curious');
SELECT count(*) > 0 AS some FROM public.pg_failback_manifest('xxh128', 'untracked');
SELECT public.pg_failback_backup_start() IS NOT NULL AS started;
SELECT public.pg_failback_backup_stop();
SELECT public.pg_failback_hold_wal(pg_catalog.pg_current_wal_lsn()) IS NOT NULL AS held;
SELECT public.pg_failback_release_wal();
RESET search_path;
TABLE regress_traps.log;

-- Arguments of other types and shapes: refused before anything is read.
SELECT arguments, left(refusal('SELECT * FROM ' || f || '(' || arguments || ')'), 5) AS sqlstate, f
  FROM unnest(ARRAY['pg_failback_read_chunks', 'pg_failback_block_checksums']) AS f,
       unnest(ARRAY[
      'NULL, NULL, NULL',
      'ARRAY[NULL]::text[], ARRAY[0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[NULL]::int8[], ARRAY[1]',
      'ARRAY[[''PG_VERSION'']], ARRAY[[0]], ARRAY[[1]]',
      'ARRAY[[''PG_VERSION'', ''PG_VERSION'']], ARRAY[0, 0], ARRAY[1, 1]',
      'ARRAY[''PG_VERSION''], ARRAY[0, 0], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[-9223372036854775808], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[9223372036854775807], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[9223372036854775807]',
      'ARRAY[''PG_VERSION''], ARRAY[9223372036854775808], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[1.5], ARRAY[1]',
      'ARRAY[''PG_VERSION''], ARRAY[''x''], ARRAY[1]',
      'ARRAY[1], ARRAY[0], ARRAY[1]',
      '''PG_VERSION'', 0, 1',
      'ARRAY[''\x00''::bytea], ARRAY[0], ARRAY[1]']) WITH ORDINALITY AS t(arguments, n)
 ORDER BY n, f;
-- Lower bounds are of no account, and an empty array has no dimension.
SELECT results FROM pg_failback_read_chunks('[5:5]={PG_VERSION}'::text[], '[-3:-3]={0}'::int8[], '[0:0]={1}'::int8[]);
SELECT count(*) FROM pg_failback_read_chunks('{}'::text[], ARRAY[]::int8[], '{}'::int8[]);

SELECT pg_failback_revoke('regress_curious');
DROP TABLE asked, regress_spaced;
SELECT shell('rm pg_tblspc/88888 pg_tblspc/regress_etc ../regress_space/neighbour ' || :'spaced' || '/77777 ' || :'spaced'
             || '/etc && rm -r ../regress_space/PG_9_1 regress_odd');
DROP TABLESPACE regress_space;
DROP SCHEMA regress_traps CASCADE;
DROP ROLE regress_curious;
