# A warm standby: the old primary comes back with nothing but the archive of the new one, and streams when it may.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind has no --restore-command' if is_pg_rewind();

my $archive = PostgreSQL::Test::Utils::tempdir;
my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/%f\"'\n");
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');
keep_twin($old);

# failback_user has no right to stream: said, and written all the same.
my ($succeeded, $output) = failback($old, $new, '-R', "--restore-command=cp $archive/%f %p");
ok($succeeded, 'failback') or BAIL_OUT($output);
# The twin is to stream from the start.
rewind_twin($old, $new);
like($output, qr/warning: role "failback_user" may not stream WAL/, 'it says that the role may not stream');
my $settings = slurp_file($old->data_dir . '/postgresql.auto.conf');
like($settings, qr/^restore_command = 'cp \Q$archive\E\/%f %p'$/m, '-R wrote restore_command');
like($settings, qr/^primary_conninfo = .*user=failback_user/m, 'and primary_conninfo');
ok(-e $old->data_dir . '/standby.signal', 'and standby.signal');

$old->start;
for my $round (1 .. 2)
{
	upsert($new, 20);
	my $rows = $new->safe_psql('postgres', 'SELECT count(*), sum(hashtext(t::text)::bigint) FROM test t');
	$new->safe_psql('postgres', 'SELECT pg_switch_wal()');
	ok($old->poll_query_until('postgres', 'SELECT count(*), sum(hashtext(t::text)::bigint) FROM test t', $rows),
		"round $round: it catches up from the archive");
	is($old->safe_psql('postgres', "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"), '0', "round $round: without streaming");
}
is($new->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_replication'), '0', 'the new primary has no standby');

$new->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
upsert($new, 20);
ok(wait_streaming($old, $new), 'it streams later');
ends_equal($old, $new);

done_testing();
