# Timelines with the same number and the same switch point, and yet two histories.
# No twin by pg_rewind: pg_rewind goes by the numbers, and says that no rewind is required.
use strict;
use warnings;
use FailbackTest;
use Test::More;

plan skip_all => 'pg_rewind goes by the numbers' if is_pg_rewind();

# Both promoted at the same place, and both wrote several segments since. The target is killed before the checkpoint that
# follows a promotion is over, which takes minutes here: from its last one before, replay mends all that it changed.
{
	my $old = start_primary('old');
	create_upsert_table($old);
	my $first = add_standby('first', $old);
	my $second = add_standby('second', $old);
	# Many pages that this checkpoint has to write, one in a tenth of a second.
	$old->safe_psql('postgres', 'CREATE TABLE padding AS SELECT i FROM generate_series(1, 1000000) i');
	upsert($old, 20);
	wait_streaming($_, $old) for ($first, $second);
	$old->stop('fast');
	promote($_) for ($first, $second);
	for my $server ($first, $second)
	{
		my $name = $server->name;
		$server->safe_psql('postgres',
			"CREATE TABLE t$_ AS SELECT i, md5('$name' || i) FROM generate_series(1, 200000) i") for (1 .. 3);
	}
	is(timeline_of($first), timeline_of($second), 'one timeline number');
	$first->stop('immediate');
	failback_ok($first, $second);
	ends_equal($first, $second);
}

# The source has moved on to a further timeline: the switch to that one is not where they parted.
{
	my $old = start_primary('old3');
	create_upsert_table($old);
	my $first = add_standby('first3', $old);
	my $second = add_standby('second3', $old);
	my $third = add_standby('third3', $second);
	upsert($old, 20);
	wait_streaming($_, $old) for ($first, $second);
	$old->stop('fast');
	wait_streaming($third, $second);
	promote($_) for ($first, $second);
	$first->safe_psql('postgres', 'CREATE TABLE lost AS SELECT i FROM generate_series(1, 2000) i');
	$second->safe_psql('postgres', 'CREATE TABLE kept AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i');
	wait_streaming($third, $second);
	$second->stop('fast');
	promote($third);
	failback_ok($first, $third, compares => 1,
		like => qr/servers diverged at .* on timeline 2.*comparing contents, because the target was promoted after/s);
	is($first->safe_psql('postgres', "SELECT to_regclass('lost') IS NULL"), 't', 'the lost table is gone');
	ends_equal($first, $third);
}

# The source has recycled the WAL that would show where they parted.
{
	my $old = start_primary('old_gone');
	create_upsert_table($old);
	my $first = add_standby('first_gone', $old);
	my $second = add_standby('second_gone', $old);
	upsert($old, 20);
	wait_streaming($_, $old) for ($first, $second);
	$old->stop('fast');
	promote($_) for ($first, $second);
	my $telling = last_wal_file($second);
	for my $server ($first, $second)
	{
		my $name = $server->name;
		$server->safe_psql('postgres', "CREATE TABLE t AS SELECT i, md5('$name' || i) FROM generate_series(1, 20000) i");
		upsert($server, 20);
	}
	is(timeline_of($first), timeline_of($second), 'recycled: one timeline number');
	$second->safe_psql('postgres', "ALTER SYSTEM SET wal_keep_size = 0; ALTER SYSTEM SET min_wal_size = '32MB'; SELECT pg_reload_conf()");
	wait_until('the source has recycled its WAL', sub {
		$second->safe_psql('postgres', $_) for ('SELECT txid_current(); SELECT pg_switch_wal()', 'CHECKPOINT');
		return !-e $second->data_dir . "/pg_wal/$telling";
	});
	# The standby has no slot.
	$second->safe_psql('postgres', "ALTER SYSTEM RESET wal_keep_size; SELECT pg_reload_conf()");
	my $why = qr/the source no longer has the WAL before \S+ that would show where the histories part \(segment "[0-9A-F]{24}"\)$/m;
	$first->stop('fast');
	refused_ok('recycled, --mode=wal', $first->data_dir, qr/by WAL alone: $why/, '-D', $first->data_dir, '--source-server=' . source_conninfo($second), '--mode=wal');
	failback_ok($first, $second, compares => 1, like => qr/comparing contents, because $why/);
	ends_equal($first, $second);
}

done_testing();
