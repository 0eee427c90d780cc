# Killed at any instant, nothing lost: SIGKILL at every point that has a name below, at system calls spread over the whole run
# or chosen at random, and over the run that completes it. FAULTS=N sets how many besides the named ones, SEED repeats a run.
# No twin by pg_rewind: a pg_rewind that was killed leaves nothing to compare with; what counts is what an undisturbed
# run makes of the target.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

needs_injection();

my $faults = fault_count(24);
seed();
split_brain(late => 1);

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

# Every point that has a name, in the order of the work. With one connection and thread, each run makes the same calls.
my @one = ('-j', '1');
my @named_points = (
	[ 'staging is made', 'mkdirat', qr/pgdata>, "pg_failback\.staging"/ ],
	[ "a tablespace's staging is made", 'mkdirat', qr/space>, "pg_failback\.staging"/ ],
	[ 'the first bytes are staged', 'pwrite64|write', qr/pg_failback\.staging\// ],
	[ 'WAL is staged', 'pwrite64|write', qr/pg_wal\/pg_failback\.staging\// ],
	[ 'the plan is in place', 'renameat', qr/"plan"/ ],
	[ 'the note is in place', 'renameat', qr/"pgsql_tmp\.pg_failback_moved_pg_control"/ ],
	[ 'the commit', 'renameat', qr/"pg_control\.old"/ ],
	[ 'the beginning of the changes is marked', 'renameat', qr/"applying"/ ],
	[ 'WAL is removed', 'unlinkat', qr/pg_wal>, "0/ ],
	[ 'a relation is removed', 'unlinkat', qr/base\/\d+>, "\d+"/ ],
	[ "a new tablespace's place is made", 'mkdir', qr/\/late"/ ],
	[ 'it is linked', 'symlinkat', qr/\/late"/ ],
	[ 'a directory is made in it', 'mkdirat', qr/late>, "PG_/ ],
	[ 'a whole file is renamed', 'renameat', qr/pgdata\/pg_failback\.staging>, "f\d+"/ ],
	[ 'a whole file is renamed in a tablespace', 'renameat', qr/space\/pg_failback\.staging>, "f\d+"/ ],
	[ 'WAL is renamed', 'renameat', qr/pg_wal\/pg_failback\.staging>, "0/ ],
	[ 'a block is written in place', 'pwrite64', qr/pgdata\/base\// ],
	[ 'a block is written in the new tablespace', 'pwrite64', qr/\/late\// ],
	[ 'a file gets its size', 'ftruncate', qr/pgdata\/base\/\d+\/\d/ ],
	[ 'a file in place is flushed', 'fsync', qr/pgdata\/base\/\d+\/\d/ ],
	[ 'a directory is flushed', 'fsync', qr/pgdata\/base\/\d+>/ ],
	[ 'backup_label is in place', 'renameat', qr/"backup_label"/ ],
	[ 'the standby settings are', 'renameat', qr/"postgresql\.auto\.conf"/ ],
	[ 'standby.signal is', 'renameat', qr/"standby\.signal"/ ],
	[ 'the new pg_control is written', 'renameat', qr/"pg_control\.new"\)/ ],
	[ 'the new pg_control is in place', 'renameat', qr/"pg_control"\)/ ],
	[ 'the mark is removed', 'unlinkat', qr/"applying"/ ],
	[ 'the plan is removed', 'unlinkat', qr/"plan"/ ],
	[ 'staging is removed', 'unlinkat', qr/"pg_failback\.staging", AT_REMOVEDIR/ ],
	[ 'the note is removed', 'unlinkat', qr/"pgsql_tmp\.pg_failback_moved_pg_control"/ ]);
# After the commit the work is the same, whichever way the difference was found.
@named_points = grep { $_->[0] !~ /^(WAL is re|a relation is|a new tablespace|it is linked|a directory is|a whole file|a block is|a file|backup_label|the standby|standby)/ } @named_points
  if comparing();
restore_target();
my @alone = traced_calls(undef, failback_arguments(@one));
my @points;
for (@named_points)
{
	my ($name, $call, $text) = @$_;
	my ($first) = grep { $_->{call} =~ /^($call)$/ && $_->{text} =~ $text && $_->{text} !~ /ENOENT/ } @alone;
	ok($first, "there is a point where $name") or next;
	push @points, { %$first, name => "where $name", options => \@one };
}
my $named = @points;

my @early = grep { $_->{place} <= $commit->{place} } @calls;
my @late = grep { $_->{place} > $commit->{place} } @calls;
push @points, (spread_and_random(int($faults / 2), @early), spread_and_random($faults - int($faults / 2), @late));
my @second = spread(scalar(@points), @completing);
note(scalar(@early) . ' calls before the commit and ' . scalar(@late) . ' after it can be hit, '
	  . scalar(@completing) . ' in a run that completes');

my %ended = map { $_ => 0 } qw(untouched committed finished wrong);
my ($ran_to_end, $twice) = (0, 0);
for my $i (0 .. $#points)
{
	my $point = $points[$i];
	my $what = 'killed ' . ($point->{name} // "at $point->{call} number $point->{when}");
	restore_target();
	my ($status, $output, $reached) = run_with($point, 'signal=KILL', failback_arguments(@{ $point->{options} // [] }));
	ok($reached, "$what: it was") if $point->{name};
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

diag("tried " . scalar(@points) . " ($named named points): $ended{untouched} untouched, $ended{committed} completed by a second run without the source"
	  . " ($twice of them killed again), $ended{finished} finished already, $ended{wrong} in another state");
is($ended{wrong}, 0, 'no other state');
cmp_ok($ended{$_}, '>', 0, "some ended $_") for qw(untouched committed);

done_testing();
