-- The end of recovery is a record's end that is on disk already.
SELECT pg_current_wal_insert_lsn() AS before \gset
SELECT lsn > :'before' AS after, lsn <= pg_current_wal_flush_lsn() AS flushed, timeline, in_recovery FROM pg_failback_recovery_end();

-- WAL is held from exactly the location asked for, by whoever may execute the function.
CREATE ROLE regress_wal;
SELECT pg_failback_grant('regress_wal');
SELECT pg_current_wal_insert_lsn() AS here \gset
SET ROLE regress_wal;
SELECT pg_failback_hold_wal(:'here') = 'pg_failback_' || pg_backend_pid() AS name;
RESET ROLE;
SELECT slot_type, temporary, restart_lsn = :'here' AS exactly, active_pid = pg_backend_pid() AS mine
  FROM pg_replication_slots WHERE slot_name = 'pg_failback_' || pg_backend_pid();

-- Segments that a checkpoint would have removed stay.
SELECT pg_walfile_name(:'here') AS held \gset
SELECT pg_switch_wal() IS NOT NULL AS switched;
CREATE TABLE regress_wal_1 AS SELECT 1 AS a;
CHECKPOINT;
SELECT pg_switch_wal() IS NOT NULL AS switched;
CREATE TABLE regress_wal_2 AS SELECT 1 AS a;
CHECKPOINT;
SELECT pg_switch_wal() IS NOT NULL AS switched;
CREATE TABLE regress_wal_3 AS SELECT 1 AS a;
CHECKPOINT;
SELECT count(*) FROM pg_ls_waldir() WHERE name = :'held';
-- Asked again it moves, either way, and looks again.
SELECT pg_failback_hold_wal(pg_current_wal_insert_lsn()) IS NOT NULL AS later;
SELECT pg_failback_hold_wal(:'here') IS NOT NULL AS earlier;
SELECT restart_lsn = :'here' AS exactly FROM pg_replication_slots WHERE slot_name = 'pg_failback_' || pg_backend_pid();
SELECT pg_failback_release_wal();
SELECT pg_failback_release_wal();
SELECT count(*) FROM pg_replication_slots;

-- Released, it goes; and what is gone cannot be held.
SELECT pg_switch_wal() IS NOT NULL AS switched;
CREATE TABLE regress_wal_4 AS SELECT 1 AS a;
CHECKPOINT;
SELECT count(*) FROM pg_ls_waldir() WHERE name = :'held';
SELECT regexp_replace(regexp_replace(refusal(format('SELECT pg_failback_hold_wal(%L)', :'here')), 'location [0-9A-F/]+', 'location LSN'), '[0-9A-F]{24}', 'SEGMENT');
SELECT count(*) FROM pg_replication_slots;

-- Locations that are none.
SELECT refusal('SELECT pg_failback_hold_wal(''0/0'')');
SELECT refusal('SELECT pg_failback_hold_wal(''7FFFFFFF/0'')');
SELECT pg_failback_hold_wal(NULL) IS NULL AS strict;

-- The slot does not outlive its session.
SELECT pg_failback_hold_wal(pg_current_wal_insert_lsn()) IS NOT NULL AS held;
\c
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + '60 s';
BEGIN
    WHILE EXISTS (SELECT FROM pg_replication_slots) AND clock_timestamp() < deadline LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
SELECT count(*) FROM pg_replication_slots;
SELECT pg_failback_revoke('regress_wal');
DROP ROLE regress_wal;
DROP TABLE regress_wal_1, regress_wal_2, regress_wal_3, regress_wal_4;

-- The standby's permanent slot takes over what the session holds, and nothing else.
SELECT refusal('SELECT pg_failback_reserve_slot(''regress_standby'', true)');
SELECT pg_current_wal_lsn() AS held \gset
SELECT pg_failback_hold_wal(:'held') IS NOT NULL AS held;
SELECT refusal('SELECT pg_failback_reserve_slot(''regress_standby'')');
SELECT refusal('SELECT pg_failback_reserve_slot(''no such name'', true)');
SELECT pg_failback_reserve_slot('regress_standby', true) AS created;
SELECT slot_type, temporary, active, restart_lsn = :'held' AS at_the_position
  FROM pg_replication_slots WHERE slot_name = 'regress_standby';
-- An existing one is only moved back.
CREATE TABLE regress_wal_5 AS SELECT 1 AS a;
CHECKPOINT;
SELECT slot_name FROM pg_create_physical_replication_slot('regress_other', true);
SELECT restart_lsn > :'held' AS later FROM pg_replication_slots WHERE slot_name = 'regress_other';
SELECT pg_failback_reserve_slot('regress_other') AS created;
SELECT restart_lsn = :'held' AS moved, active FROM pg_replication_slots WHERE slot_name = 'regress_other';
SELECT pg_failback_hold_wal(pg_current_wal_insert_lsn()) IS NOT NULL AS held_later;
SELECT pg_failback_reserve_slot('regress_other', true) AS created;
SELECT restart_lsn = :'held' AS not_moved FROM pg_replication_slots WHERE slot_name = 'regress_other';
SELECT slot_name FROM pg_create_physical_replication_slot('regress_temporary', true, true);
SELECT refusal('SELECT pg_failback_reserve_slot(''regress_temporary'', true)');
-- Only one that this session has made can be dropped.
SELECT refusal('SELECT pg_failback_drop_slot(''regress_other'')');
SELECT pg_failback_drop_slot('regress_standby');
SELECT refusal('SELECT pg_failback_drop_slot(''regress_standby'')');
-- One whose WAL the server has given up is of no use.
SELECT pg_failback_release_wal(), pg_drop_replication_slot('regress_temporary');
ALTER SYSTEM SET max_slot_wal_keep_size = '1MB';
SELECT pg_reload_conf();
SELECT pg_switch_wal() IS NOT NULL AS switched;
INSERT INTO regress_wal_5 VALUES (2);
SELECT pg_switch_wal() IS NOT NULL AS switched;
INSERT INTO regress_wal_5 VALUES (3);
-- The checkpointer may see the setting later than we do.
DO $$
BEGIN
    FOR i IN 1 .. 600 LOOP
        CHECKPOINT;
        EXIT WHEN EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'regress_other' AND wal_status = 'lost');
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'regress_other';
SELECT pg_failback_hold_wal(pg_current_wal_insert_lsn()) IS NOT NULL AS held;
SELECT refusal('SELECT pg_failback_reserve_slot(''regress_other'', true)');
ALTER SYSTEM RESET max_slot_wal_keep_size;
SELECT pg_reload_conf();
SELECT pg_drop_replication_slot('regress_other');
DROP TABLE regress_wal_5;
SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'regress%';
