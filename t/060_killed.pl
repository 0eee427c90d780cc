# Killed at any instant, nothing lost: SIGKILL at system calls spread over the whole run, and over the run that
# completes it. FAULTS=N sets how many.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs pg_failback, and a strace that may trace' if !can_inject();

my $faults = fault_count(50);
split_brain();

my @calls = traced_calls(undef, failback_arguments());
remember_finished();
my ($commit) = grep { $_->{call} =~ /^renameat/ && $_->{text} =~ /pg_control\.old/ } @calls;
ok($commit, 'the commit is among the calls');
ok(scalar(grep { $_->{call} =~ /^renameat/ && $_->{text} =~ /"f\d+"/ } @calls), 'and renames of files that were staged whole');
starts_as_standby_ok('an undisturbed run');

# The calls of a run that completes: killed at the first rename after the commit (one thread does them all, so their
# number is the same in every run), then traced.
restore_target();
my ($after_commit) = grep { $_->{call} eq $commit->{call} && $_->{place} > $commit->{place} } @calls;
run_with($after_commit, 'signal=KILL', failback_arguments());
is(state_of(), 'committed', 'killed right after the commit: pg_control is aside');
my @completing = traced_calls(undef, unreachable_arguments());
is_finished_ok('completed without the source');

my @early = grep { $_->{place} <= $commit->{place} } @calls;
my @late = grep { $_->{place} > $commit->{place} } @calls;
my @points = (spread(int($faults / 2), @early), spread($faults - int($faults / 2), @late));
my @second = spread(scalar(@points), @completing);
note(scalar(@early) . ' calls before the commit and ' . scalar(@late) . ' after it can be hit, '
	  . scalar(@completing) . ' in a run that completes');

my %ended = map { $_ => 0 } qw(untouched committed finished wrong);
my ($ran_to_end, $twice) = (0, 0);
for my $i (0 .. $#points)
{
	my $point = $points[$i];
	my $what = "killed at $point->{call} number $point->{when}";
	restore_target();
	my ($status, $output) = run_with($point, 'signal=KILL', failback_arguments());
	$ran_to_end++ if $status == 0;
	my $state = state_of();
	if (!exists $ended{$state})
	{
		fail("$what: $state");
		$ended{wrong}++;
		next;
	}
	$ended{$state}++;

	my $bytes_comparable = 1;
	if ($state eq 'untouched')
	{
		if ($ended{untouched} % 12 == 5)
		{
			starts_as_before_ok($what);
			$bytes_comparable = 0; # it has written WAL of its own
		}
		my ($again, $why) = run_tool(failback_arguments());
		ok($again, "$what: target untouched; the next run completes") or diag($why);
	}
	elsif ($state eq 'committed')
	{
		ok(note_there(), "$what: after the commit; a note says why");
		refuses_to_start_ok($what) if $ended{committed} % 8 == 1;
		if ($ended{committed} % 2 == 0)
		{
			# Killed again while completing, elsewhere.
			my $next = $second[ ($i * 7) % @second ];
			run_with($next, 'signal=KILL', unreachable_arguments());
			my $then = state_of();
			$twice++;
			ok($then eq 'committed' || $then eq 'finished', "$what, then at $next->{call} number $next->{when}: still one of the allowed states")
			  or diag($then);
			# Whole, with something of ours left: nothing is to be completed, and the source can be reached again.
			ok($then eq 'committed' ? completes_without_source() : (run_tool(failback_arguments()))[0],
				"$what, then at $next->{call} number $next->{when}: completed");
		}
		else { ok(completes_without_source(), "$what: completed without the source"); }
	}
	else
	{
		my ($again, $why) = run_tool(failback_arguments());
		ok($again, "$what: finished already; the next run has nothing to do") or diag($why);
	}
	is_finished_ok($what) if $bytes_comparable;
	starts_as_standby_ok($what) if !$bytes_comparable || $i % 20 == 7;
}

diag("tried " . scalar(@points) . ": $ended{untouched} untouched, $ended{committed} completed by a second run without the source"
	  . " ($twice of them killed again), $ended{finished} finished already, $ended{wrong} in another state");
is($ended{wrong}, 0, 'no other state');
cmp_ok($ended{$_}, '>', 0, "some ended $_") for qw(untouched committed);

done_testing();
