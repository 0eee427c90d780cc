-- Nothing is granted to anybody at first.
CREATE EXTENSION pg_failback;

SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'pg_failback';

SELECT p.proname, p.provolatile, p.proparallel, p.proisstrict, p.proretset, p.prosecdef,
       has_function_privilege('public', p.oid, 'EXECUTE') AS public_may,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS described
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
 WHERE e.extname = 'pg_failback'
 ORDER BY p.proname;

-- For the tests: what a query is refused with.
CREATE FUNCTION refusal(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN format('%s: %s', SQLSTATE, concat_ws(' | ', message, nullif(detail, ''), nullif(hint, '')));
END
$$;

-- Runs a command of the operating system in the data directory.
CREATE FUNCTION shell(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; ' || command);
END
$$;

-- How many descriptors of this session are open on files whose name contains `part`.
CREATE TABLE descriptor_count (n int);
CREATE FUNCTION open_descriptors(part text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    DELETE FROM descriptor_count;
    EXECUTE format('COPY descriptor_count FROM PROGRAM %L',
                   format('ls -l /proc/%s/fd | grep -c %s || true', pg_backend_pid(), quote_literal(part)));
    SELECT d.n INTO n FROM descriptor_count d;
    RETURN n;
END
$$;
