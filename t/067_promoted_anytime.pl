# The source is a standby that is promoted at random moments of a run: it completes, or it fails with the target as it was;
# then the same command does it. Whichever it was, the target streams from the new primary and has its rows. FAULTS=N sets
# how many are tried (an eighth of it), SEED repeats a run.
# No twin by pg_rewind: pg_rewind does not notice a promotion while it copies.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind cannot be disturbed this way' if is_pg_rewind();

my $tries = int(fault_count(48) / 8); # each takes seconds
$tries = 2 if $tries < 2; # one of each way
my $seed = $ENV{SEED} // (time ^ ($$ << 8)) & 0x7fffffff;
srand($seed);
diag("SEED=$seed");

work_in_memory();
my $former = start_primary('former', initdb => ['--wal-segsize=1'], conf => "autovacuum = off\nmax_wal_size = 32MB\n");
create_upsert_table($former);
my $primary = add_standby('primary', $former);
# WAL in common, by which the source shows where the histories part.
upsert($former, 20);
wait_streaming($primary, $former);
promote($primary);
upsert($_, 20) for ($former, $primary);
$primary->safe_psql('postgres', 'CREATE TABLE large AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i; CHECKPOINT');
my $source = add_standby('source', $primary);
$source->safe_psql('postgres', 'CHECKPOINT');
stop_clean($former, $source);
my %aside = map { $_->data_dir => PostgreSQL::Test::Utils::tempdir() . '/' . $_->name } ($former, $source);
command_ok([ 'cp', '-a', '--reflink=auto', $_, $aside{$_} ], "copy of $_") for sort keys %aside;
my $before = fingerprint($former->data_dir);

sub restore
{
	my ($node) = @_;
	my $where = $node->data_dir;
	remove_tree($where);
	system('cp', '-a', '--reflink=auto', $aside{$where}, $where) == 0 or die "could not restore $where";
	return;
}

# One run through a relay that does something after so many bytes: (succeeded, output, what the relay saw)
sub run_disturbed
{
	my ($after, $trouble, @options) = @_;
	my $relay = Relay->start($source, trouble_after => $after, trouble => $trouble);
	my ($succeeded, $output) = run_tool('-D', $former->data_dir, '--source-server=' . $relay->conninfo, '-R', @options);
	return ($succeeded, $output, $relay->stop);
}

sub is_untouched
{
	return !grep { !m{^pg_failback\.staging(/|$)} } changed_files($before, fingerprint($former->data_dir));
}

$source->start;
my ($succeeded, $output, $undisturbed) = run_disturbed(1e12, sub { });
ok($succeeded, 'an undisturbed run') or diag($output);
$source->stop('fast');

my %ended = (completed => 0, untouched => 0);
for my $i (1 .. $tries)
{
	my $after = int(rand($undisturbed->{bytes}));
	# Every other one fetches by comparing contents, which has a backup under way.
	my @mode = $i % 2 ? () : ('--mode=compare');
	my $what = "promoted after $after bytes@mode";
	restore($_) for ($former, $source);
	$source->start;
	# Without waiting for it: the relay has to go on, as 19 promotes only when no session is stuck in sending.
	($succeeded, $output) = run_disturbed($after,
		sub { system('pg_ctl', '-s', '-W', '-D', $source->data_dir, 'promote') == 0 or print STDERR "# could not promote\n"; }, @mode);
	# At the last, one that was not disturbed in time.
	system('pg_ctl', '-s', '-W', '-D', $source->data_dir, 'promote') if -e $source->data_dir . '/standby.signal';
	$source->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'the source was not promoted';
	note("$what\n$output");
	$ended{ $succeeded ? 'completed' : 'untouched' }++;
	if (!$succeeded)
	{
		ok(is_untouched(), "$what: the target is unchanged") or diag($output);
		like($output, qr/^pg_failback: (error|hint): .*(promoted|Run the command again)/m, "$what: it says why or what to do") or diag($output);
		($succeeded, $output) = run_disturbed(1e12, sub { }, @mode);
		ok($succeeded, "$what: the next run completes") or diag($output);
	}
	# The relay is gone.
	$former->append_conf('postgresql.auto.conf', "primary_conninfo = '" . $source->connstr . "'");
	upsert($source, 2);
	$former->start(fail_ok => 1) or do { fail("$what: starts as a standby"); next; };
	ok(wait_streaming($former, $source), "$what: streams");
	same_rows($former, $source);
	command_ok([ 'pg_amcheck', '-h', $former->host, '-p', $former->port, '--all', '--heapallindexed' ], "$what: pg_amcheck");
	$_->stop('immediate') for ($former, $source);
}
diag("promoted at $tries moments: $ended{completed} completed, $ended{untouched} failed with the target untouched");

done_testing();
