# What does not travel: server logs, old and recycled WAL, rows of unlogged and temporary tables, sockets,
# lock files. And what must not get lost: the target's own logs.
use strict;
use warnings;
use Cwd;
use FailbackTest;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind copies logs and recycled WAL' if is_pg_rewind();

my $old = start_primary('old', conf => "logging_collector = on\nlog_directory = 'log'\nwal_keep_size = 0\nmin_wal_size = 320MB\n");
create_upsert_table($old);
$old->safe_psql('postgres', 'CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, t text)');
my $new = add_standby('new', $old);
# Recycled segments of the new primary wait under future names.
for (1 .. 4)
{
	upsert($old, 10);
	$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
	wait_streaming($new, $old);
	$old->safe_psql('postgres', 'CHECKPOINT');
	wait_streaming($new, $old);
	$new->safe_psql('postgres', 'CHECKPOINT');
}
# What is needed from here on stays.
for ($old, $new)
{
	$_->append_conf('postgresql.conf', 'wal_keep_size = 1GB');
	$_->reload;
	$_->poll_query_until('postgres', "SELECT current_setting('wal_keep_size') = '1GB'");
}
# A good deal of WAL in the segment of the divergence: with the segment before it gone, this is what shows that the
# two share their history.
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($new, 10);
$_->append_conf('log/own.log', 'log of ' . $_->name) for ($old, $new);
$new->safe_psql('postgres', "INSERT INTO scratch SELECT i, repeat('unlogged', 100) FROM generate_series(1, 20000) i");
$new->safe_psql('postgres', 'CHECKPOINT');
upsert($old, 20);
# A socket's path is limited to some hundred bytes: bind it from inside.
my $here = getcwd();
chdir $new->data_dir or die;
my $socket = IO::Socket::UNIX->new(Local => 'a.socket', Listen => 1) or die "no socket: $!";
chdir $here or die;
my $temporary = $new->background_psql('postgres');
$temporary->query_safe("CREATE TEMP TABLE passing AS SELECT repeat('x', 1000) FROM generate_series(1, 10000)");
my $scratch = $new->safe_psql('postgres', "SELECT pg_relation_filepath('scratch')");
my $current = last_wal_file($new);
my @future = grep { /^[0-9A-F]{24}$/ && $_ gt $current } files_below($new->data_dir . '/pg_wal');
cmp_ok(scalar(@future), '>', 0, 'the source has recycled WAL');
cmp_ok(-s $new->data_dir . "/$scratch", '>', 1_000_000, 'and unlogged rows');

# No twin: pg_rewind reads the socket, and fails.
failback_ok($old, $new, start => 0);
$current = last_wal_file($new);
my %there = map { $_ => 1 } files_below($old->data_dir);
is(slurp_file($old->data_dir . '/log/own.log'), "log of old\n", "the target's log is its own");
ok(!-s $old->data_dir . "/$scratch", 'no unlogged rows arrived');
ok(-e $old->data_dir . "/${scratch}_init", 'but what recovery makes the table from');
is(join(' ', grep { /(^|\/)t\d+_\d+/ } keys %there), '', 'no temporary table arrived');
ok(!-e $old->data_dir . '/a.socket', 'no socket arrived');
is(join(' ', grep { /^pg_wal\/[0-9A-F]{24}$/ && substr($_, 7) gt $current } keys %there), '', 'no recycled WAL arrived');
ok(!$there{'postmaster.pid'}, 'no lock file of the source');
is(join(' ', grep { /pg_failback/ && !m{^pg_failback\.record/} } keys %there), '',
	'nothing of ours is left behind but the record for "verify"');
$temporary->quit;

$old->start;
ok(wait_streaming($old, $new), 'streams');
ends_equal($old, $new);

done_testing();
