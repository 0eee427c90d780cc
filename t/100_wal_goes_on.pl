# A killed primary's WAL is damaged, or has a hole, between its last checkpoint and its end. Reading it ends there as at a crash,
# but it goes on: what changed after that is not known. Contents are compared then, or --mode=wal says what is wrong; never is the
# rest of the lost timeline left on the target.
# No twin by pg_rewind: it takes the damage for the end, and the wrong rows stay (its crash recovery does as well).
use strict;
use warnings;
use FailbackTest;
use FaultScene ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind takes damage for the end of WAL' if is_pg_rewind();

FaultScene::work_in_memory();
# So few buffers that changed pages reach the disk.
my $old = start_primary('old', initdb => [ '-k', '--wal-segsize=1' ],
	conf => "autovacuum = off\nshared_buffers = 1MB\nmax_wal_size = 1GB\nfull_page_writes = on\ncheckpoint_timeout = 1h\n");
$old->safe_psql('postgres', <<'SQL');
CREATE TABLE a AS SELECT i, repeat('a', 100) AS t FROM generate_series(1, 20000) i;
CREATE TABLE b AS SELECT i, repeat('b', 100) AS t FROM generate_series(1, 40000) i;
CHECKPOINT;
SQL
my $new = add_standby('new', $old);
wait_streaming($new, $old);
promote($new);
$new->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION; CREATE TABLE by_new AS SELECT i FROM generate_series(1, 1000) i');

$old->safe_psql('postgres', "CHECKPOINT; DELETE FROM a WHERE i % 7 = 0");
for my $part (0 .. 2)
{
	$old->safe_psql('postgres', "UPDATE b SET t = repeat('$part', 100) WHERE i % 11 = $part");
}
# Half a segment of it at the least, in the middle of which is the damage.
my ($hole_name, $used) = ('', 0);
until ($used > 500_000)
{
	$old->safe_psql('postgres', "UPDATE b SET t = repeat('m', 100) WHERE i % 97 = 5");
	($hole_name, $used) = split /\|/, $old->safe_psql('postgres', 'SELECT * FROM pg_walfile_name_offset(pg_current_wal_lsn())');
}
$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
$old->safe_psql('postgres', "DELETE FROM b WHERE i % 3 = 0; UPDATE a SET t = 'of the old one' WHERE i % 5 = 0");
$old->stop('immediate');
my $dir = $old->data_dir;
my $aside = PostgreSQL::Test::Utils::tempdir . '/aside';
command_ok([ 'cp', '-a', $dir, $aside ], 'copy of the killed target');
my @source = ('-D', $dir, '--source-server=' . source_conninfo($new));
my $hole = "$dir/pg_wal/$hole_name";

# So many that they do not all lie between two records.
sub wrong_bytes_at
{
	my ($path, $at) = @_;
	open my $file, '+<:raw', $path or die "could not open $path: $!";
	seek($file, $at, 0);
	read($file, my $bytes, 32) == 32 or die "could not read $path: $!";
	seek($file, $at, 0);
	print $file $bytes ^ ("\x10" x 32);
	close $file or die "could not write $path: $!";
	return;
}

my %damage = (
	'a missing segment' => sub { unlink $hole or die "unlink: $!" },
	'wrong bytes' => sub { wrong_bytes_at($hole, int($used / 2)) },
	'a page of zeros' => sub {
		open my $file, '+<:raw', $hole or die "open: $!";
		seek($file, int($used / 2 / 8192) * 8192, 0);
		print $file "\0" x 8192;
		close $file;
	});
for my $what (sort keys %damage)
{
	system('rm', '-rf', $dir) == 0 && system('cp', '-a', $aside, $dir) == 0 or die "could not restore $dir";
	$damage{$what}->();
	refused_ok("$what, --mode=wal", $dir, qr/WAL of the target is damaged or missing at .*, it goes on at/, @source, '--mode=wal');
	my ($succeeded, $output) = run_tool(@source, '-R');
	ok($succeeded, "$what: succeeds") or diag($output);
	like($output, qr/comparing contents, because WAL of the target is damaged or missing/, "$what: compares");
	# So that no transaction of the lost timeline is taken for one that is still running.
	$new->safe_psql('postgres', 'SELECT txid_current()') for 1 .. 10;
	$old->start(fail_ok => 1) or die 'the target does not start';
	ok(wait_streaming($old, $new), "$what: streams");
	same_rows($old, $new);
	$old->stop('fast');
}

# Undamaged it goes by WAL: a crash is no damage.
system('rm', '-rf', $dir) == 0 && system('cp', '-a', $aside, $dir) == 0 or die "could not restore $dir";
append_to_file("$dir/postgresql.auto.conf", "primary_slot_name = 'former'\n");
my ($succeeded, $output) = run_tool(@source, '-R', '--mode=wal');
ok($succeeded, 'undamaged: succeeds by WAL') or diag($output);
like($output, qr/warning: primary_slot_name is no longer set/, 'undamaged: -R says that the former slot is no longer used');
unlike(slurp_file("$dir/postgresql.auto.conf"), qr/former/, 'undamaged: and it is not');
$old->start;
ok(wait_streaming($old, $new), 'undamaged: streams');
same_rows($old, $new);
stop_clean($old, $new);

# The damage lies before the point where the histories part, and the last checkpoint before the damage: without it, it would look as
# if the target had stopped there, with nothing of its own.
my $first = start_primary('first', initdb => [ '-k', '--wal-segsize=1' ],
	conf => "autovacuum = off\nshared_buffers = 1MB\nmax_wal_size = 1GB\ncheckpoint_timeout = 1h\n");
$first->safe_psql('postgres', "CREATE TABLE b AS SELECT i, repeat('b', 100) AS t FROM generate_series(1, 40000) i");
my $second = add_standby('second', $first);
$first->safe_psql('postgres', "CHECKPOINT; UPDATE b SET t = 'x' WHERE i % 50 = 0");
my $early = last_wal_file($first);
$first->safe_psql('postgres', "UPDATE b SET t = repeat('y', 100) WHERE i % 11 = 1");
wait_streaming($second, $first);
promote($second);
$second->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
$first->safe_psql('postgres', "DELETE FROM b WHERE i % 3 = 0; UPDATE b SET t = 'z' WHERE i % 3 = 1");
$first->stop('immediate');
wrong_bytes_at($first->data_dir . "/pg_wal/$early", 1024 * 1024 - 50000);
($succeeded, $output) = run_tool('-D', $first->data_dir, '--source-server=' . source_conninfo($second), '-R');
ok($succeeded, 'before the divergence: succeeds') or diag($output);
unlike($output, qr/no rewind required/, 'before the divergence: is no reason to do nothing');
$second->safe_psql('postgres', 'SELECT txid_current()') for 1 .. 10;
$first->start;
ok(wait_streaming($first, $second), 'before the divergence: streams');
same_rows($first, $second);

done_testing();
