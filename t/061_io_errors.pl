# A full or failing disk at any call: a clear message, exit status 1, and the target is untouched or the same command
# completes it. FAULTS=N sets how many errors are injected.
# No twin by pg_rewind: pg_rewind leaves a broken target after an error; what counts is what an undisturbed run makes of
# it.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

needs_injection();

my $faults = fault_count(40);
split_brain();

my $calls = 'pwrite64,pread64,fsync,renameat,renameat2,openat2,mkdirat,unlinkat,symlinkat,ftruncate';
my @calls = traced_calls($calls, failback_arguments());
remember_finished();

# Writing calls first: there are far fewer of some kinds than of others, so every kind gets its share.
my %of_kind;
push @{ $of_kind{ $_->{call} } }, $_ for @calls;
my $share = int($faults / keys %of_kind) || 1;
my @points = map { spread($share, @{ $of_kind{$_} }) } sort keys %of_kind;

my %ended = map { $_ => 0 } qw(untouched committed finished survived wrong);
my ($not_reached, $number) = (0, 0);
my %message = (ENOSPC => 'No space left on device', EIO => 'Input/output error');
for my $point (@points)
{
	my $error = $point->{call} =~ /^(pread64|unlinkat)$/ || ++$number % 2 ? 'EIO' : 'ENOSPC';
	my $what = "$error from $point->{call} number $point->{when}";
	restore_target();
	my ($status, $output, $reached) = run_with($point, "error=$error", failback_arguments());
	if (!$reached)
	{
		$not_reached++;
		next;
	}
	my $state = state_of();
	if (!exists $ended{$state} || ($status == 0 && $state ne 'finished'))
	{
		fail("$what: $state");
		diag($output);
		$ended{wrong}++;
		next;
	}
	if ($status == 0)
	{
		$ended{survived}++;
		# Nothing else may fail without being told by the exit status.
		like($output, qr/warning: could not write (the record for "verify"|backup_manifest)/, "$what, and exit status 0: only what can be missed")
		  or diag($output);
		is_finished_ok("$what, and no failure");
		next;
	}
	$ended{$state}++;
	is($status, 1, "$what: exit status 1");
	like($output, qr/(error|detail): .*$message{$error}/, "$what: the message says so");
	if ($state eq 'untouched')
	{
		unlike($output, qr/cannot be started/, "$what: target untouched, and not said to be unusable");
		ok((run_tool(failback_arguments()))[0], "$what: target untouched; the next run completes");
	}
	elsif ($state eq 'committed')
	{
		like($output, qr/cannot be started until this command is run again/, "$what: says what to do");
		ok(note_there(), "$what: a note says why");
		ok(completes_without_source(), "$what: completed without the source");
	}
	else
	{
		unlike($output, qr/cannot be started/, "$what: finished, and not said to be unusable");
		ok((run_tool(failback_arguments()))[0], "$what: finished already; the next run has nothing to do");
	}
	is_finished_ok($what);
}
diag('tried ' . (@points - $not_reached) . ": $ended{untouched} untouched, $ended{committed} completed by a second run without"
	  . " the source, $ended{finished} finished already, $ended{survived} not noticed by anybody, $ended{wrong} in another state"
	  . " ($not_reached calls not reached)");
is($ended{wrong}, 0, 'no other state');
cmp_ok($ended{$_}, '>', 0, "some ended $_") for qw(untouched committed);
starts_as_standby_ok('the last one') if state_of() eq 'finished';

done_testing();
