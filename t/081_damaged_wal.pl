# The target's WAL is unreadable, damaged, cut short or has a hole: never a wrong result. What cannot be read is an error with
# nothing changed; where WAL does not tell, --mode=wal says what is wrong, and by default the contents are compared. The same
# where the source's WAL, which the standby is to replay, is damaged or gone.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind stops here' if is_pg_rewind();

my $old = start_primary('old', conf => "autovacuum = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
$old->safe_psql('postgres', 'CREATE TABLE quiet AS SELECT i, md5(i::text) AS t FROM generate_series(1, 5000) i; CHECKPOINT');
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($new, 20);
my @wal;
for (1 .. 3)
{
	upsert($old, 20);
	push @wal, last_wal_file($old);
	$old->safe_psql('postgres', 'UPDATE quiet SET t = t || i WHERE i % 10 = 0; SELECT pg_switch_wal()');
}
upsert($old, 10);
$old->stop('fast');
my $dir = $old->data_dir;
my @source = ('-D', $dir, '--source-server=' . source_conninfo($new));
# The one in the middle: after the divergence, before the end.
my $path = "$dir/pg_wal/$wal[1]";
my $whole = slurp_file($path);

sub write_wal
{
	my ($bytes, $where) = @_;
	$where //= $path;
	open my $file, '>:raw', $where or die "could not open $where: $!";
	print $file $bytes;
	close $file or die "could not write $where: $!";
	return;
}

# More than the padding between two records.
sub wrong_bytes
{
	my ($bytes, $at) = @_;
	substr($bytes, $at, 16) ^= "\1" x 16;
	return $bytes;
}

chmod 0, $path or die "chmod: $!";
refused_ok('unreadable', $dir, qr/error: .*$wal[1]": Permission denied/, @source, '-n');
refused_ok('unreadable, --mode=wal', $dir, qr/error: .*$wal[1]": Permission denied/, @source, '--mode=wal');
chmod 0600, $path;

my %damage = (
	'a page of zeros' => sub { my $copy = $whole; substr($copy, 16384, 8192) = "\0" x 8192; write_wal($copy); },
	'wrong bytes' => sub { write_wal(wrong_bytes($whole, 20_000)); },
	'cut short' => sub { write_wal(substr($whole, 0, 100_000)); },
	'a hole' => sub { unlink $path; });
my $damaged = qr/WAL of the target is damaged or missing at \S+, it should reach to \S+ at least/;
my %reason = (
	'a page of zeros' => qr/$damaged \(At \S+ in WAL segment "\Q$path\E": the page at \S+ has magic 0000\.\)$/m,
	# Which record they hit, and whether it is its header, is not the same on every version.
	'wrong bytes' => qr/$damaged \(At \S+ in WAL segment "\Q$path\E": .*record.*\)$/m,
	'cut short' => qr/WAL segment "\Q$path\E" has the wrong size \(The file has 100000 bytes, a segment of this cluster has 16777216\.\)$/m,
	'a hole' => qr/$damaged \(At \S+ in WAL segment "$wal[1]": the WAL segment is missing\.\)$/m);
for my $what (sort keys %damage)
{
	$damage{$what}->();
	refused_ok("$what, --mode=wal", $dir, qr/error: the target cannot be brought level by WAL alone: $reason{$what}/, @source, '--mode=wal');
	my ($succeeded, $output) = run_tool(@source, '-n');
	ok($succeeded, "$what: -n");
	like($output, qr/comparing contents, because $reason{$what}/, "$what: contents would be compared");
	write_wal($whole);
}

# The source's own WAL, found out when all has been copied and before anything is changed.
# Not the segment of the divergence, which is read for another reason.
$new->safe_psql('postgres', 'SELECT pg_switch_wal()');
upsert($new, 10);
my $theirs = last_wal_file($new);
my $their_path = $new->data_dir . "/pg_wal/$theirs";
my $used = $new->safe_psql('postgres', 'SELECT file_offset FROM pg_walfile_name_offset(pg_current_wal_lsn())');
$new->safe_psql('postgres', 'SELECT pg_switch_wal()');
upsert($new, 10);
# Gone or cut when it is to be fetched, though a slot holds it: as soon as the source has said that it does.
my %trouble = ('is gone' => sub { rename $their_path, "$their_path.aside" or die "rename: $!"; },
	'is incomplete' => sub { system('cp', '-p', $their_path, "$their_path.aside") == 0 && truncate($their_path, 100_000) or die "truncate: $!"; });
for my $what (sort keys %trouble)
{
	my $relay = Relay->start($new, rewrite => sub {
		my ($m) = @_;
		$trouble{$what}->() if $m->{type} eq 'D' && ($m->{columns}[0] // '') eq 'pg_failback_hold_wal' && !-e "$their_path.aside";
		return undef;
	});
	refused_ok("a segment $what on the source, --mode=wal", $dir,
		qr/error: the target cannot be brought level by WAL alone: WAL segment "pg_wal\/$theirs", which recovery needs, $what on the source/,
		'-D', $dir, '--source-server=' . $relay->conninfo, '--mode=wal');
	$relay->stop;
	rename "$their_path.aside", $their_path or die "rename: $!";
}

write_wal(wrong_bytes(slurp_file($their_path), $used - 300), $their_path);
refused_ok('wrong bytes on the source, --mode=wal', $dir,
	qr/error: the target cannot be brought level by WAL alone: WAL that the standby needs is damaged or missing at \S+,/, @source, '--mode=wal');
unlink $their_path or die "unlink: $!";
my $gone = qr/the source reported an error: WAL from location \S+ on is gone/;
refused_ok('a hole on the source, --mode=wal', $dir, qr/error: the target cannot be brought level by WAL alone: $gone/, @source, '--mode=wal');

my $twin = PostgreSQL::Test::Cluster->new('twin');
command_ok([ 'cp', '-a', $dir, $twin->data_dir ], 'copy of the target');
mkdir $twin->archive_dir;
$twin->append_conf('postgresql.conf', 'port = ' . $twin->port . "\nunix_socket_directories = '" . $twin->host . "'");
failback_ok($twin, $new, compares => 1, like => qr/comparing contents, because $gone/);

# The most insidious of the target's own is brought home.
$damage{'wrong bytes'}->();
failback_ok($old, $new, compares => 1, like => qr/comparing contents, because $reason{'wrong bytes'}/);
ends_equal($_, $new) for ($twin, $old);

done_testing();
