CREATE ROLE "regress Failback's";
CREATE VIEW may AS
    SELECT p.proname, has_function_privilege('regress Failback''s', p.oid, 'EXECUTE') AS may
      FROM pg_proc p
      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
     WHERE e.extname = 'pg_failback' ORDER BY 1;
SELECT bool_or(may) FROM may;
SELECT pg_failback_grant('"regress Failback''s"');
TABLE may;
-- Twice does no harm.
SELECT pg_failback_grant('"regress Failback''s"');
SET ROLE "regress Failback's";
SELECT timeline FROM pg_failback_source_state();
SELECT pg_failback_server_id() IS NOT NULL AS has_id;
SELECT count(*) > 500 AS many FROM pg_failback_manifest();
SELECT results FROM pg_failback_read_chunks(ARRAY['PG_VERSION'], ARRAY[0], ARRAY[1]);
SELECT chunk_length FROM pg_failback_chunk_checksums('PG_VERSION', 0, 1);
SELECT timeline FROM pg_failback_recovery_end();
SELECT pg_failback_release_wal();
SELECT refusal('SELECT pg_failback_grant(current_user::regrole)');
SELECT refusal('SELECT pg_failback_revoke(current_user::regrole)');
RESET ROLE;
SELECT pg_failback_revoke('"regress Failback''s"');
SELECT bool_or(may) FROM may;
SET ROLE "regress Failback's";
SELECT refusal('SELECT * FROM pg_failback_source_state()');
SELECT refusal('SELECT pg_failback_server_id()');
SELECT refusal('SELECT * FROM pg_failback_manifest()');
SELECT refusal('SELECT * FROM pg_failback_read_chunks(ARRAY[''PG_VERSION''], ARRAY[0], ARRAY[1])');
SELECT refusal('SELECT * FROM pg_failback_chunk_checksums(''PG_VERSION'', 0, 1)');
SELECT refusal('SELECT * FROM pg_failback_recovery_end()');
SELECT refusal('SELECT pg_failback_hold_wal(''0/1'')');
SELECT refusal('SELECT pg_failback_release_wal()');
RESET ROLE;
SELECT refusal('SELECT pg_failback_grant(''-'')');
SELECT refusal('SELECT pg_failback_grant(0::regrole)');
SELECT pg_failback_grant(NULL) IS NULL AS strict;
-- A hostile search_path changes nothing.
SET client_min_messages = warning;
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.quote_ident(text) RETURNS text LANGUAGE sql AS $$SELECT 'regress_hostile'$$;
CREATE FUNCTION regress_hostile.pg_get_function_identity_arguments(oid) RETURNS text LANGUAGE sql AS 'SELECT NULL';
CREATE FUNCTION regress_hostile.pg_failback_source_state() RETURNS int LANGUAGE sql AS 'SELECT 1';
SET search_path = regress_hostile, public, pg_catalog;
SELECT public.pg_failback_grant('"regress Failback''s"');
RESET search_path;
SELECT bool_and(may) FILTER (WHERE proname !~ 'grant|revoke') AS granted, bool_or(may) FILTER (WHERE proname ~ 'grant|revoke') AS others FROM may;
SELECT pg_failback_revoke('"regress Failback''s"');
DROP SCHEMA regress_hostile CASCADE;
DROP VIEW may;
DROP ROLE "regress Failback's";
