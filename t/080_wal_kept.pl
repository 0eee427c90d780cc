# The standby's recovery begins before the divergence. The source has recycled that WAL, the target has it, and keeps it:
# nothing needs to be compared, and none of it is fetched.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "wal_keep_size = 0\nmin_wal_size = 32MB\nwal_recycle = off\n");
$old->safe_psql('postgres', 'CHECKPOINT');
my $first = last_wal_file($old);
for (1 .. 4)
{
	upsert($old, 10);
	$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
}
# The segment of the divergence is shared far enough to tell one history from the other.
upsert($old, 100);
wait_streaming($new, $old);
promote($new);
# The end of recovery counts as a checkpoint; only another one lets go of the WAL before it.
$new->safe_psql('postgres', 'CHECKPOINT');
upsert($new, 10);
wait_until('the source has removed the WAL', sub {
	$new->safe_psql('postgres', 'CHECKPOINT');
	return !-e $new->data_dir . "/pg_wal/$first";
});
$new->append_conf('postgresql.conf', 'wal_keep_size = 1GB');
$new->reload;
upsert($_, 10) for ($old, $new);
$old->stop('fast');

my $path = $old->data_dir . "/pg_wal/$first";
ok(-e $path, 'the target has the WAL');
my $time = (stat $path)[9];
failback_ok($old, $new, like => qr/servers diverged at/, start => 0, twin => 1);
ok(-e $path, 'it is still there');
is((stat $path)[9], $time, 'and was not written again');
my $label = slurp_file($old->data_dir . '/backup_label');
like($label, qr/START WAL LOCATION: \S+ \(file $first\)/, 'recovery begins in it');
$old->start;
ok(wait_streaming($old, $new), 'streams');
ends_equal($old, $new);

# --- From 18 on slots that are idle for too long are given up, and their sessions ended; that of a run is in use ---
SKIP:
{
	skip 'idle_replication_slot_timeout came with 18', 1 if $new->pg_version < 18;
	$new->append_conf('postgresql.conf', 'idle_replication_slot_timeout = 1s');
	$new->reload;
	my $kept = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pg\\_failback\\_%' AND invalidation_reason IS NULL";
	my $output = $new->safe_psql('postgres', "SELECT pg_failback_hold_wal(pg_current_wal_lsn()) IS NOT NULL; SELECT pg_sleep(2); CHECKPOINT; $kept");
	like($output, qr/\b1\Z/, 'a run may hold WAL for longer than idle_replication_slot_timeout');
}

done_testing();
