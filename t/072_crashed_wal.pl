# What a crash leaves in pg_wal: a last record that was written by half, with zeros after it or what the recycled segment
# had held before; and segments that crash recovery would have recycled, which the failback needs.
# No twin by pg_rewind: the recovery that pg_rewind begins with recycles the WAL that it needs; t/040 has one where it
# does not.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind lets a single-user server recycle the WAL that it needs' if is_pg_rewind();

my $segment_size = 16 * 1024 * 1024;

sub copy_of
{
	my ($name, $node) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	command_ok([ 'cp', '-a', $node->data_dir, $copy->data_dir ], "copy of " . $node->name . " as $name");
	mkdir $copy->archive_dir;
	$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'");
	return $copy;
}

my $old = start_primary('old', conf => "autovacuum = off\nwal_recycle = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($new, 20);
my $first = last_wal_file($old);
for (1 .. 3)
{
	upsert($old, 20);
	$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
}
$old->safe_psql('postgres', 'CHECKPOINT');
my $whole = last_wal_file($old);
upsert($old, 10);
$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
upsert($old, 10);
# The last record goes over several pages; the server has it on disk when the next transaction is committed.
my $end = $old->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'last', repeat('x', 50000)) - '0/0'::pg_lsn");
my $last = last_wal_file($old);
$old->stop('immediate');
like(controldata($old, 'Database cluster state'), qr/in production/, 'the target has crashed');
# What has kept the WAL of the common checkpoint until now is gone with the next start.
$old->adjust_conf('postgresql.conf', 'wal_keep_size', '0');
$old->adjust_conf('postgresql.conf', 'min_wal_size', '32MB');
ok(-e $old->data_dir . "/pg_wal/$first", 'the WAL back to the divergence is there');

# Cut in the middle of the last record.
my $cut = ($end - 20_000) % $segment_size;
my $path = $old->data_dir . "/pg_wal/$last";
my $content = slurp_file($path);
my $earlier = slurp_file($old->data_dir . "/pg_wal/$whole");
my %tail = (zeros => "\0" x ($segment_size - $cut), recycled => substr($earlier, $cut));

sub write_file
{
	my ($name, $bytes) = @_;
	open my $file, '>:raw', $name or die "could not open $name: $!";
	print $file $bytes;
	close $file or die "could not write $name: $!";
	return;
}

my %target = (zeros => $old, recycled => copy_of('recycled', $old));
my $recovered = copy_of('recovered', $old);
for my $kind (sort keys %target)
{
	write_file($target{$kind}->data_dir . "/pg_wal/$last", substr($content, 0, $cut) . $tail{$kind});
	# By WAL, not by contents.
	failback_ok($target{$kind}, $new, like => qr/servers diverged at/);
}

# The scene has teeth: where recovery is run first, the WAL is gone.
$recovered->start;
$recovered->stop('fast');
ok(!-e $recovered->data_dir . "/pg_wal/$first", 'recovery would have recycled the WAL');

upsert($new, 20);
ends_equal($target{$_}, $new) for sort keys %target;

done_testing();
