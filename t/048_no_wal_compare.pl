# Where the target's WAL is no help, both sides' content is compared: the WAL back to the last common
# checkpoint is gone and was never archived; or pages have changed without WAL, as neither data checksums
# nor wal_log_hints were on.
# No twin by pg_rewind: pg_rewind cannot do without the WAL, and refuses a target without checksums and wal_log_hints.
use strict;
use warnings;
use FailbackTest;
use Test::More;

plan skip_all => 'pg_rewind needs the WAL' if is_pg_rewind();

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
	my $why = $no_wal ? qr/comparing contents, because .*WAL/ : qr/comparing contents, because the target has neither data checksums nor wal_log_hints/;
	$old->stop('fast');
	refused_ok("$case, --mode=wal", $old->data_dir, qr/cannot be brought level by WAL alone/,
		'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '--mode=wal');
	failback_ok($old, $new, compares => 1, like => $why);
	ends_equal($old, $new, no_checksums => !$no_wal);
	$new->stop('fast');
}

done_testing();
