# Comparing reads every relation file once on each side; what differs is read once more on the source, to be sent. strace
# sees all reads of the run, as both data directories are local.
use strict;
use warnings;
use FailbackTest;
use FaultScene ();
use PostgreSQL::Test::Utils;
use Test::More;

FaultScene::needs_injection();

my $old = start_primary('old', conf => "autovacuum = off\n");
$old->safe_psql('postgres', 'CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 100000) AS i; CREATE INDEX ON t (m)');
# Or the scans below would set pages all-visible, each side in its own time: they would differ, and a file that differs nearly
# everywhere is staged whole, with what does not differ read from the target once more.
$old->safe_psql('postgres', 'VACUUM FREEZE t');
my $new = add_standby('new', $old);
promote($new);
$_->safe_psql('postgres', 'UPDATE t SET m = md5(m) WHERE i % 5000 = 0') for ($old, $new);
stop_clean($old, $new);

my %size; # of relations' main forks, path => bytes
for my $node ($old, $new)
{
	my $dir = $node->data_dir;
	$size{"$dir/$_"} = -s "$dir/$_" for grep { m{^(base/\d+|global)/\d+$} } files_below($dir);
}

my $report = PostgreSQL::Test::Utils::tempdir . '/report.json';
my $trace = PostgreSQL::Test::Utils::tempdir . '/trace';
my @command = (tool(), '-D', $old->data_dir, '--source-pgdata=' . $new->data_dir, '--mode=compare', "--report=$report");
my $output = '';
ok(IPC::Run::run([ 'strace', '-f', '-y', '-qq', '-s', '1', '-o', $trace, '-e', 'trace=read,pread64,readv,preadv', @command ],
		'<', \undef, '>&', \$output), 'the failback') or diag($output);

# Calls of threads may be interrupted by others' in the listing: the file stands in the first half, the result in the second.
my (%read, %begun);
open my $lines, '<', $trace or die "could not open $trace: $!";
while (my $line = <$lines>)
{
	my ($thread) = $line =~ /^(\d+) /;
	my ($path) = $line =~ /p?readv?(?:64)?\(\d+<([^>]*)>/;
	$path //= delete $begun{$thread};
	if ($line =~ /<unfinished \.\.\.>$/) { $begun{$thread} = $path; }
	elsif ($line =~ / = (\d+)$/ && defined $path) { $read{$path} += $1; }
}
my %content = map { $_->name => 0 } ($old, $new);
my %bytes = map { $_->name => 0 } ($old, $new);
my @more;
for my $path (sort keys %size)
{
	my $name = index($path, $old->data_dir . '/') == 0 ? $old->name : $new->name;
	$content{$name} += $size{$path};
	$bytes{$name} += $read{$path} // 0;
	push @more, $path if $name eq $old->name && ($read{$path} // 0) > $size{$path};
}
is("@more", '', 'no relation file of the target is read more than once');
cmp_ok($bytes{old}, '>', 0.9 * $content{old}, 'nearly all of them are read');
my ($fetched) = slurp_file($report) =~ /"fetched": (\d+)/;
cmp_ok($fetched, '<', $content{new} / 2, 'little differs');
cmp_ok($bytes{new}, '<=', $content{new} + $fetched, 'the source reads each file once, and again what it sends');
cmp_ok($bytes{new}, '>', 0.9 * $content{new}, 'nearly all of them');

done_testing();
