# Where the target's WAL is no help, both sides' content is compared: the WAL back to the last common
# checkpoint is gone and was never archived; or pages have changed without WAL, as neither data checksums
# nor wal_log_hints were on.
# No twin by pg_rewind: pg_rewind cannot do without the WAL, and refuses a target without checksums and wal_log_hints.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind needs the WAL' if is_pg_rewind();

# What is kept is flushed before the commit, though the target was stopped in an orderly way: this is a fresh copy.
sub flushes_ok
{
	my ($target, $source) = @_;
	my $place = PostgreSQL::Test::Utils::tempdir;
	for my $option ('--sync-method=fsync', '--no-sync')
	{
		my $copy = "$place/copy$option";
		my $said = '';
		command_ok([ 'cp', '-a', $target->data_dir, $copy ], "$option: a copy of the target");
	  SKIP:
		{
			skip 'needs a strace that may trace', 3
			  if !IPC::Run::run([ 'strace', '-f', '-qq', '-o', '/dev/null', 'true' ], '<', \undef, '>&', \$said);
			ok(IPC::Run::run([ 'strace', '-f', '-y', '-qq', '-o', "$place/trace", '-e', 'trace=syncfs,renameat', tool(), '-D', $copy,
					'--source-server=' . source_conninfo($source), $option ], '<', \undef, '>&', \$said), "$option: a traced run") or diag($said);
			my ($before) = slurp_file("$place/trace") =~ /^(.*?)renameat\([^\n]*"pg_control", /s;
			ok(defined $before, "$option: the commit's rename is seen");
			if ($option eq '--no-sync') { unlike($before, qr/syncfs/, "$option: nothing is flushed"); }
			else { like($before, qr/syncfs\(\d+<\Q$copy\E\S*\) += 0/, "$option: flushed before it"); }
		}
	}
	return;
}

for my $case ('no WAL', 'no hints')
{
	(my $name = $case) =~ s/ /_/;
	my $no_wal = $case eq 'no WAL';
	my $old = start_primary("old_$name", checksums => $no_wal,
		conf => $no_wal ? "wal_keep_size = 0\nmin_wal_size = 32MB\n" : "wal_log_hints = off\n");
	create_upsert_table($old);
	$old->safe_psql('postgres', <<'SQL');
CREATE TABLE quiet AS SELECT i, repeat(md5(i::text), 10) AS t FROM generate_series(1, 20000) i;
CREATE TABLE shrinks AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i;
SQL
	my $new = add_standby("new_$name", $old, conf => "wal_keep_size = 1GB\n");
	upsert($old, 30);
	wait_streaming($new, $old);
	my $first = last_wal_file($old);
	promote($new);
	upsert($_, 30) for ($old, $new);
	$old->safe_psql('postgres', 'TRUNCATE shrinks; CREATE TABLE only_old AS SELECT 1 AS one');
	$new->safe_psql('postgres', 'DELETE FROM shrinks WHERE i > 100; CREATE TABLE only_new AS SELECT 2 AS two');
	# Hint bits of rows that a reader finds committed reach the page without WAL.
	$old->safe_psql('postgres', 'SELECT count(*) FROM test; CHECKPOINT');
	if ($no_wal)
	{
		wait_until('the first segment has been recycled', sub {
			$old->safe_psql('postgres', 'SELECT upsert(i) FROM generate_series(1, 2000) i; SELECT pg_switch_wal(); CHECKPOINT');
			return !-e $old->data_dir . "/pg_wal/$first";
		});
	}
	my $why = $no_wal ? qr/the target no longer has the WAL before \S+ that would show where the histories part \(segment "[0-9A-F]{24}"\)$/m
	  : qr/the target has neither data checksums nor wal_log_hints, so pages changed with no trace in WAL$/m;
	$old->stop('fast');
	refused_ok("$case, --mode=wal", $old->data_dir, qr/cannot be brought level by WAL alone: $why/,
		'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '--mode=wal');
	flushes_ok($old, $new) if $no_wal;
	failback_ok($old, $new, compares => 1, like => qr/comparing contents, because $why/);
	ends_equal($old, $new, no_checksums => !$no_wal);
	$new->stop('fast');
}

done_testing();
