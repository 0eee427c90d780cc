# The source writes far more WAL than it keeps, while the tool is at work and between its end and the first connection of the
# standby: what recovery and streaming need is held, by the session first and by the standby's slot then, and by nothing else.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind holds no WAL' if is_pg_rewind();

sub there { my ($node, $segment) = @_; return -e $node->data_dir . "/pg_wal/$segment"; }

my $old = start_primary('old', initdb => ['--wal-segsize=1'],
	conf => "autovacuum = off\nmin_wal_size = 2MB\nmax_wal_size = 256MB\nwal_recycle = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($_, 20) for ($old, $new);
$new->safe_psql('postgres', 'CREATE TABLE large AS SELECT i, md5(i::text) AS t FROM generate_series(1, 60000) i');
$old->stop('fast');
# None is at work when the run begins: what a checkpoint may remove is decided when it begins.
$new->safe_psql('postgres', 'CHECKPOINT');
$new->append_conf('postgresql.conf', "wal_keep_size = 0\n");
$new->reload;

# Far more WAL than is kept, with checkpoints that remove what they may.
sub work_on
{
	for (1 .. 12) { $new->safe_psql('postgres', 'INSERT INTO test SELECT max(id) + 1 FROM test; SELECT pg_switch_wal()'); }
	$new->safe_psql('postgres', 'CHECKPOINT') for 1 .. 2;
	return;
}
my $needed = last_wal_file($new);
my $output = '';
my $run = failback_slowly($old, $new, \$output, '-R', '--slot=of_old', '--create-slot');
work_on();
ok(there($new, $needed), 'WAL of the time when the run began is held while it is at work');
my $after = last_wal_file($new);
$run->finish;
is(($run->full_results)[0], 0, 'the run completes') or diag($output);
unlike($output, qr/comparing contents/, 'by WAL');
work_on();
my ($start) = slurp_file($old->data_dir . '/backup_label') =~ /^START WAL LOCATION: \S+ \(file (\w+)\)/m;
my $end = last_wal_file($new);
ok(there($new, $after), 'WAL after the end of the run is held for the standby');
$new->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
$old->start(fail_ok => 1) or die 'the standby does not start';
ok(wait_streaming($old, $new), 'it streams');
same_rows($old, $new);

# The slot it was that held it.
$old->stop('fast');
ok($new->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'of_old'"), 'the standby has left');
$new->safe_psql('postgres', "SELECT pg_drop_replication_slot('of_old')");
work_on();
ok(!there($new, $_), "without the slot $_ goes") for ($needed, $after, $end);

# --- WAL that was there when a run began is fetched first, and let go of: a checkpoint that was under way may remove it ---
{
	my $target = start_primary('late_1', initdb => ['--wal-segsize=1'], conf => "autovacuum = off\nmin_wal_size = 2MB\nwal_recycle = off\n");
	create_upsert_table($target);
	my $source = add_standby('late_2', $target);
	upsert($target, 20);
	wait_streaming($source, $target);
	promote($source);
	upsert($_, 20) for ($target, $source);
	$target->stop('fast');
	my $first = last_wal_file($source);
	$source->safe_psql('postgres', 'CREATE TABLE large AS SELECT i, md5(i::text) AS t FROM generate_series(1, 60000) i');
	my $said = '';
	my $report = PostgreSQL::Test::Utils::tempdir . '/report.json';
	my $run = failback_slowly($target, $source, \$said, "--report=$report");
	my $held = "SELECT min(pg_walfile_name(restart_lsn)) FROM pg_replication_slots WHERE slot_name LIKE 'pg\\_failback\\_%'";
	wait_until('the run has what there was', sub { ($source->safe_psql('postgres', $held) || $first) gt $first });
	ok(there($source, $first), 'the source had WAL that the run needed');
	$source->append_conf('postgresql.conf', "wal_keep_size = 0\n");
	$source->reload;
	for (1 .. 3) { $source->safe_psql('postgres', 'SELECT txid_current(); SELECT pg_switch_wal(); CHECKPOINT'); }
	ok(!there($source, $first), 'it is gone');
	$run->finish;
	is(($run->full_results)[0], 0, 'the run completes') or diag($said);
	unlike($said, qr/comparing contents/, 'by WAL');
	# However fast the machine: what has come is no more than --max-rate=1M allows in that time, and a second's worth.
	my ($seconds, $received) = map { slurp_file($report) =~ /"$_": ([0-9.]+)/ ? $1 : undef } ('fetch', 'received');
	cmp_ok($received, '>', 2_000_000, 'something had to come');
	cmp_ok($received, '<=', 1024 * 1024 * ($seconds + 1), '--max-rate is kept to');
}

done_testing();
