# Where going by WAL would move much more than what differs, contents are compared; --explain-mode shows the estimate.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind has no choice' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');

my ($succeeded, $output) = failback($old, $new, '-n', '--explain-mode');
like($output, qr/going by WAL moves \d+ MB, \d+ MB of it WAL that is replayed$/m, 'what going by WAL moves');
like($output, qr/comparing contents moves at most about \d+ MB and reads \d+ MB on both sides \(\d+ of \d+ sampled/, 'what comparing moves');
like($output, qr/info: going by WAL$|: going by WAL$/m, 'little WAL: by WAL');
unlike((failback($old, $new, '-n'))[1], qr/sampled/, 'nothing of this if not asked for');

# Hundreds of megabytes of WAL that hardly changes anything.
$new->safe_psql('postgres', "SELECT upsert($_); SELECT pg_switch_wal()") for (1 .. 24);
$new->safe_psql('postgres', 'CHECKPOINT'); # the promotion's may come later than that
my $checkpoint = 'SELECT redo_lsn FROM pg_control_checkpoint()';
my $before = $new->safe_psql('postgres', $checkpoint);
($succeeded, $output) = failback($old, $new, '-n');
like($output, qr/going by WAL moves [34]\d\d MB.*comparing contents moves at most.*comparing contents, because it moves less/s,
	'much WAL: by contents, and it says why');
is($new->safe_psql('postgres', $checkpoint), $before, 'a dry run makes the source do no checkpoint');
unlike((failback($old, $new, '-n', '--mode=wal'))[1], qr/comparing contents/, '--mode=wal is obeyed');
like((failback($old, $new, '-n', '--explain-mode'))[1],
	qr/because it moves less.*comparing contents moves \d+ MB and has read [1-9]\d* MB on both sides/s, 'what it came to, if asked');

# What the source does when it is asked to begin; without a body what it does otherwise.
sub backup_start_is
{
	my ($body) = @_;
	my $code = defined $body ? "LANGUAGE plpgsql SECURITY DEFINER AS \$\$BEGIN $body; END\$\$" : "LANGUAGE c AS '\$libdir/pg_failback'";
	$new->safe_psql('postgres', "CREATE OR REPLACE FUNCTION pg_failback_backup_start(fast bool DEFAULT true) RETURNS pg_lsn VOLATILE $code");
	return;
}

# A choice that the source refuses: by WAL after all.
my $refuses = q{RAISE EXCEPTION 'no backups today' USING ERRCODE = '55000'};
my $second = PostgreSQL::Test::Cluster->new('second');
command_ok([ 'cp', '-a', $old->data_dir, $second->data_dir ], 'copy of the target');
mkdir $second->archive_dir;
$second->append_conf('postgresql.conf', 'port = ' . $second->port . "\nunix_socket_directories = '" . $second->host . "'");
my $third = PostgreSQL::Test::Utils::tempdir_short() . '/third';
command_ok([ 'cp', '-a', $old->data_dir, $third ], 'another copy');
backup_start_is($refuses);
failback_ok($second, $new, compares => 1,
	like => qr/comparing contents, because it moves less.*going by WAL all the same, because contents cannot be compared: .*no backups today/s);
ends_equal($second, $new);
backup_start_is();

failback_ok($old, $new, compares => 1, twin => 1, like => qr/comparing contents, because it moves less/);
ends_equal($old, $new);

# Refused where WAL, it turns out, does not do either.
$new->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE template0 STRATEGY file_copy');
backup_start_is($refuses);
refused_ok('neither way', $third, qr/error: .*neither by WAL, because .*copies a database's directory.*, nor by comparing contents: .*no backups today/,
	'-D', $third, '--source-server=' . source_conninfo($new));

# Promoted as it is asked: not a refusal, as what was found out by then holds no more.
backup_start_is('PERFORM pg_promote(); RETURN NULL');
$new->safe_psql('postgres', 'CHECKPOINT'); # a standby's comparison starts at its last
wait_streaming($mirror, $new);
$mirror->safe_psql('postgres', 'CHECKPOINT');
refused_ok('promoted meanwhile', $third, qr/comparing contents, because it moves less.*error: the source was promoted while we were looking at it/s,
	'-D', $third, '--source-server=' . source_conninfo($mirror));
is($mirror->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'it was promoted');

done_testing();
