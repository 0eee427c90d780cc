# The network between the tool and its source is cut or stalls, and the source is killed and restarted, at random moments:
# the run completes, or it fails and the target is what it was. FAULTS=N sets how many are tried (a quarter of it), SEED repeats a run.
# No twin by pg_rewind: pg_rewind does not connect again; what counts is what an undisturbed run makes of the target.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind does not try again' if is_pg_rewind();

my $tries = int(fault_count(64) / 4); # each takes seconds
seed();
split_brain();

# through_relay([options of the relay], options of the tool): (succeeded, output, what the relay saw)
sub through_relay
{
	my ($options, @options) = @_;
	my $relay = Relay->start($new, @$options);
	# The connection string stays the same from run to run: -R writes it.
	my ($succeeded, $output) = run_tool('-D', $old->data_dir, '--source-server=' . $relay->conninfo, '--timeout=10', @options);
	return ($succeeded, $output, $relay->stop);
}

my ($succeeded, $output, $undisturbed) = through_relay([]);
ok($succeeded, 'a run through the relay');
remember_finished();
note("$undisturbed->{connections} connections, $undisturbed->{bytes} bytes");
restore_target();
my ($compared, $said_then, $comparing) = through_relay([], '--mode=compare');
ok($compared, 'a run that compares') or diag($said_then);
use_mode('compare');
remember_finished();
use_mode('');
my @compare = (options => ['--mode=compare'], other => 1, beside => $comparing);

# --- Cut where a new connection has to make up for it: the run completes ---
# In row `number` of the results that have this column.
sub cut_ok
{
	my ($what, $column, $number, %option) = @_;
	restore_target();
	my $seen = 0;
	my ($completed, $said, $relayed) = through_relay([
		cut_at => sub { my ($m) = @_; return $m->{type} eq 'D' && grep({ $_ eq $column } @{ $m->{columns} }) && ++$seen == $number; } ],
		@{ $option{options} // [] });
	ok($completed, "cut $what: completes") or diag($said);
	cmp_ok($relayed->{connections}, '>', ($option{beside} // $undisturbed)->{connections}, "cut $what: over a new connection");
	is_finished_ok("cut $what") if !$option{other};
	return;
}

cut_ok('in the manifest', 'link_target', 300);
cut_ok('in the content', 'first_range', 3);
cut_ok('in the checksums', 'range_index', 2, @compare);
cut_ok('when a backup is started', 'pg_failback_backup_start', 1, @compare);
cut_ok("before it is told that the standby's slot was made", 'pg_failback_reserve_slot', 1, options => [ '-R', '--slot=of_the_standby', '--create-slot' ], other => 1);
is($new->safe_psql('postgres', "SELECT temporary FROM pg_replication_slots WHERE slot_name = 'of_the_standby'"), 'f', 'the slot is there');
$new->safe_psql('postgres', "SELECT pg_drop_replication_slot('of_the_standby')");

my %ended;
my $wrong = 0;
my @kinds = ('cut', 'reset', 'stall', 'cut', 'gone', 'reset');
for my $i (0 .. $tries - 1)
{
	my $kind = $kinds[ ($i + $$) % @kinds ];
	# Every other one while contents are compared.
	my @mode = $i % 2 ? ('--mode=compare') : ();
	my $after = int(rand((@mode ? $comparing : $undisturbed)->{bytes}));
	my $what = "$kind after $after bytes@mode";
	restore_target();
	use_mode(@mode ? 'compare' : '');
	($succeeded, $output) = through_relay([ trouble => $kind, trouble_after => $after ], @mode);
	my $state = state_of();
	my $allowed = $state eq ($succeeded ? 'finished' : 'untouched');
	ok($allowed, "$what: completed, or failed and untouched") or diag("$state\n$output");
	$wrong++ if !$allowed;
	$ended{$kind}{ $succeeded ? 'completed' : 'untouched' }++;
	if ($succeeded) { is_finished_ok($what); }
	else
	{
		like($output, qr/^pg_failback: error: .*(connect|closed|nothing|timeout|server)/m, "$what: the message tells of the connection");
		unlike($output, qr/cannot be started/, "$what: the target is not said to be unusable");
		ok(!note_there(), "$what: no note is left");
		# What was fetched is there for the next run, if anything was.
		ok(-e $old->data_dir . '/pg_failback.staging' ? $output =~ /the next run uses what was fetched/ : 1, "$what: staging is left with a word only");
	}
}
use_mode('');
my @counts = map { "$_: " . ($ended{$_}{completed} // 0) . ' completed, ' . ($ended{$_}{untouched} // 0) . ' failed with the target untouched' } sort keys %ended;
diag("tried $tries, $wrong of them in another state; " . join('; ', @counts));
starts_as_before_ok('the last that was left untouched') if state_of() eq 'untouched';

# --- The source is killed and restarted ---
my $restart = sub {
	my @pg_ctl = ('pg_ctl', '-s', '-w', '-D', $new->data_dir);
	system(@pg_ctl, '-m', 'immediate', 'stop') == 0 or print STDERR "# could not stop the source\n";
	system(@pg_ctl, '-l', $new->logfile, 'start') == 0 or print STDERR "# could not start the source\n";
};
my %restarted = map { $_ => 0 } qw(completed untouched);
my $restarts = int($tries / 6) || 1;
for (1 .. $restarts)
{
	my $after = int(rand($undisturbed->{bytes}));
	my $what = "the source is killed and restarted after $after bytes";
	restore_target();
	($succeeded, $output) = through_relay([ trouble => $restart, trouble_after => $after ], '--timeout=20', '-R');
	$new->_update_pid(1);
	my $state = $succeeded ? 'completed' : 'untouched';
	$restarted{$state}++;
	if ($succeeded)
	{
		# It has other bytes after its recovery; what counts is rows. The relay is gone.
		$old->append_conf('postgresql.auto.conf', "primary_conninfo = '" . $new->connstr . "'");
		starts_as_standby_ok($what);
	}
	else { is(state_of(), 'untouched', "$what: failed and untouched") or diag($output); }
}
diag("source killed and restarted $restarts times: $restarted{completed} completed, $restarted{untouched} failed with the target untouched");

# --- The online backup is lost with its connection, and WAL since then has no page images ---
# Off when it began and on again when it is asked for: what the source wrote in between could not be repaired by replay.
sub set_full_page_writes
{
	my ($value) = @_;
	my @psql = ('psql', '-X', '-q', '-A', '-t', '-h', $new->host, '-p', $new->port, '-d', 'postgres', '-c');
	system(@psql, "ALTER SYSTEM SET full_page_writes = $value") == 0 && system(@psql, 'SELECT pg_reload_conf()', '-o', '/dev/null') == 0
	  or die 'could not set full_page_writes';
	# Whoever sees it in his session sees it before the checkpointer acts on it.
	wait_until("full_page_writes is $value", sub { my $now = `@psql 'SHOW full_page_writes'`; return $now eq "$value\n"; });
	system(@psql, 'CHECKPOINT') == 0 or die 'no checkpoint';
	return;
}
restore_target();
set_full_page_writes('off');
my $rows = 0;
($succeeded, $output) = through_relay([
	cut_at => sub {
		my ($m) = @_;
		return 0 if $m->{type} ne 'D' || !grep { $_ eq 'range_index' } @{ $m->{columns} } or ++$rows < 2;
		set_full_page_writes('on');
		return 1;
	} ], '--mode=compare', '--timeout=60');
ok(!$succeeded, 'a lost backup: fails');
like($output, qr/error: the source lost our online backup, and full_page_writes is or was off/, 'a lost backup: its message');
is(state_of(), 'untouched', 'a lost backup: the target is untouched');

done_testing();
