# What WAL cannot tell, and contents can: each reason by its own message. And what it can tell though the target has lost
# some of it: WAL from before the divergence is the source's too.
# No twin by pg_rewind: pg_rewind gives up in each of these cases.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind gives up here' if is_pg_rewind();

sub segment { my ($node) = @_; $node->safe_psql('postgres', 'SELECT txid_current(); SELECT pg_switch_wal()'); return; }

# Later servers keep their WAL until they are told otherwise.
my $old = start_primary('old', conf => "wal_keep_size = 0\nmin_wal_size = 32MB\n");
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "wal_keep_size = 1GB\n");
my $third = add_standby('third', $new);

# The divergence is well inside a segment, the common checkpoint some segments before: a clean stop leaves the target's
# last segment alone.
$old->safe_psql('postgres', 'CHECKPOINT');
my $checkpoint = last_wal_file($old);
segment($old) for (1 .. 3);
upsert($old, 40);
wait_streaming($_, $old) for ($new, $third);
promote($new);
upsert($_, 10) for ($old, $new);
$old->stop('fast');
ok(!-e $old->data_dir . "/pg_wal/$checkpoint", 'the target has lost the WAL of the common checkpoint');
failback_ok($old, $new, options => ['--mode=wal']);
same_rows($old, $new);
# Stays behind from now on, with nothing of its own.
$old->stop('fast');

# A target that was promoted before the last common checkpoint: t/057 has one that was not.
wait_streaming($third, $new);
promote($third);
$third->safe_psql('postgres', 'CHECKPOINT');
my $fourth = add_standby('fourth', $third);
promote($fourth);
my ($target, $source) = ($third, $fourth);
upsert($_, 20) for ($source, $target);
my $last = last_wal_file($target);
$target->stop('fast');
my $dir = $target->data_dir;
my @source = ('-D', $dir, '--source-server=' . source_conninfo($source));

# reason_ok(WHAT, REGEX): by default contents would be compared because of it, with --mode=wal it is an error.
sub reason_ok
{
	my ($what, $reason) = @_;
	my ($succeeded, $output) = run_tool(@source, '-n');
	ok($succeeded, "$what: -n");
	like($output, qr/comparing contents, because .*$reason/, "$what: the reason");
	refused_ok("$what, --mode=wal", $dir, qr/cannot be brought level by WAL alone: .*$reason/, @source, '--mode=wal');
	return;
}

# The target as it is now, in a copy of its own, is brought home.
sub heals_ok
{
	my ($name, $reason) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	command_ok([ 'cp', '-a', $dir, $copy->data_dir ], "$name: copy of the target");
	mkdir $copy->archive_dir;
	$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'");
	failback_ok($copy, $source, compares => 1, like => qr/comparing contents, because .*$reason/);
	ends_equal($copy, $source);
	return;
}

# In place, with the bytes that were there before returned.
sub overwrite
{
	my ($path, $offset, $bytes) = @_;
	open my $file, '+<:raw', $path or die "could not open $path: $!";
	seek $file, $offset, 0;
	read $file, my $before, length $bytes;
	seek $file, $offset, 0;
	print $file $bytes;
	close $file or die "could not write $path: $!";
	return $before;
}

sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xffffffff;
	for my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for (1 .. 8);
	}
	return $crc ^ 0xffffffff;
}

# A history whose beginning has been lost.
my $history = slurp_file("$dir/pg_wal/00000003.history");
(my $shortened = $history) =~ s/^1\t.*\n+//m;
cmp_ok(length $shortened, '<', length $history, 'the history has a beginning to lose');
overwrite("$dir/pg_wal/00000003.history", 0, $shortened . ' ' x (length($history) - length $shortened));
my $no_ancestor = qr/could not find common ancestor/;
reason_ok('no common ancestor', $no_ancestor);
heals_ok('no_ancestor', $no_ancestor);
overwrite("$dir/pg_wal/00000003.history", 0, $history);

# A record of a resource manager that nobody knows, which changes relations in a way of its own.
my $wal = "$dir/pg_wal/$last";
my ($length, $lsn);
for (split /\n/, (run_command([ 'pg_waldump', '-r', 'Heap', $wal ]))[0])
{
	my ($total, $high, $low) = m{len \(rec/tot\):\s+\d+/\s*(\d+),.*lsn: ([0-9A-F]+)/([0-9A-F]+),} or next;
	next if $total > 200 || hex($low) % 8192 + $total > 8192; # within a page
	($length, $lsn) = ($total, hex $low);
}
my $offset = $lsn % (16 * 1024 * 1024);
my $record = substr(slurp_file($wal), $offset, $length);
is(unpack('V', $record), $length, 'a heap record is found');
is(unpack('V', substr($record, 20)), crc32c(substr($record, 24) . substr($record, 0, 20)), 'and its checksum can be computed');
my $strange = $record;
substr($strange, 16, 2) = pack('CC', 0x01, 200); # xl_info: XLR_SPECIAL_REL_UPDATE; xl_rmid
substr($strange, 20, 4) = pack('V', crc32c(substr($strange, 24) . substr($strange, 0, 20)));
overwrite($wal, $offset, $strange);
my $unknown = qr/resource manager 200/;
reason_ok('an unknown record', $unknown);
heals_ok('unknown_record', $unknown);
overwrite($wal, $offset, $record);

my ($succeeded, $output) = run_tool(@source, '-n');
unlike($output, qr/comparing contents/, 'without all that WAL does tell');

# The source loses its WAL from the common checkpoint on.
$source->safe_psql('postgres', "ALTER SYSTEM SET wal_keep_size = 0; ALTER SYSTEM SET min_wal_size = '32MB'; SELECT pg_reload_conf()");
my $needed = $source->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
wait_until('the source has recycled its WAL', sub {
	segment($source);
	$source->safe_psql('postgres', 'CHECKPOINT');
	return !-e $source->data_dir . "/pg_wal/$needed";
});
my $gone = qr/(the source no longer has the WAL|is gone)/;
reason_ok('WAL gone on the source', $gone);

# It goes on to recycle all that it is not held back from, during a comparison that takes long, and so until the standby has it.
my $recycling = pgbench_start($source, '-c', 1, '-R', '0.7', '-T', 600,
	'-f', write_sql("SELECT txid_current();\nSELECT pg_switch_wal();\nCHECKPOINT;\n"));
my $first = last_wal_file($source);
my $said = failback_ok($target, $source, compares => 1, standby_settings => '-R', like => qr/comparing contents, because .*$gone/,
	options => [ '--slot=of_third', '--create-slot', '--max-rate-read=2M' ]);
$recycling->{handle}->signal('INT');
IPC::Run::finish($recycling->{handle});
ok(!-e $source->data_dir . "/pg_wal/$first", 'the source has recycled WAL meanwhile');
cmp_ok(hex(substr last_wal_file($source), 16) - hex(substr $first, 16), '>', 5, 'more than it keeps of itself');
# What it writes from here on is for the other standby, which has no slot.
$source->safe_psql('postgres', "ALTER SYSTEM SET wal_keep_size = '1GB'; SELECT pg_reload_conf()");

# A standby without any divergence, so far behind that its primary has no WAL for it any more.
failback_ok($old, $source, compares => 1, like => qr/comparing contents, because .*(no longer has the WAL|is gone)/);
upsert($source, 10);
ends_equal($_, $source) for ($old, $target);

done_testing();
