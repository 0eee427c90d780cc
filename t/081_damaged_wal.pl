# The target's WAL is unreadable, damaged, cut short or has a hole: never a wrong result. What cannot be read is an error with
# nothing changed; where WAL does not tell, --mode=wal says what is wrong, and by default the contents are compared.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
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
	my ($bytes) = @_;
	open my $file, '>:raw', $path or die "could not open $path: $!";
	print $file $bytes;
	close $file or die "could not write $path: $!";
	return;
}

chmod 0, $path or die "chmod: $!";
refused_ok('unreadable', $dir, qr/error: .*$wal[1]": Permission denied/, @source, '-n');
refused_ok('unreadable, --mode=wal', $dir, qr/error: .*$wal[1]": Permission denied/, @source, '--mode=wal');
chmod 0600, $path;

my %damage = (
	'a page of zeros' => sub { my $copy = $whole; substr($copy, 16384, 8192) = "\0" x 8192; write_wal($copy); },
	'a wrong byte' => sub { my $copy = $whole; substr($copy, 20_000, 1) = chr(ord(substr($copy, 20_000, 1)) ^ 1); write_wal($copy); },
	'cut short' => sub { write_wal(substr($whole, 0, 100_000)); },
	'a hole' => sub { unlink $path; });
for my $what (sort keys %damage)
{
	$damage{$what}->();
	refused_ok("$what, --mode=wal", $dir, qr/error: the target cannot be brought level by WAL alone: .*(invalid|record|WAL|segment)/, @source, '--mode=wal');
	my ($succeeded, $output) = run_tool(@source, '-n');
	ok($succeeded, "$what: -n");
	like($output, qr/comparing contents, because/, "$what: contents would be compared");
	write_wal($whole);
}

# The most insidious of them is brought home.
$damage{'a wrong byte'}->();
failback_ok($old, $new, compares => 1, like => qr/comparing contents/);
ends_equal($old, $new);

done_testing();
