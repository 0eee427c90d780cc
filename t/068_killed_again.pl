# A run that takes over what an interrupted one has staged is itself killed, or its disk fails, at any instant; so is one that
# verifies and writes a manifest. Always the same: untouched, to be completed, or finished. FAULTS=N sets how many points are
# tried besides the named ones (half of it), SEED repeats a run.
# No twin by pg_rewind: pg_rewind takes nothing over from an interrupted run.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

needs_injection();

my $faults = int(fault_count(16) / 2); # each is up to three runs
seed();
split_brain();

# With one connection and thread, each run makes the same calls.
my @one = ('-j', '1');
my @calls = traced_calls(undef, failback_arguments(@one));
remember_finished();
my %ended = map { $_ => 0 } qw(untouched committed finished);

# The first of these calls that fits.
sub first_call
{
	my ($name, $call, $text, @from) = @_;
	my ($first) = grep { $_->{call} =~ /^($call)$/ && $_->{text} =~ $text && $_->{text} !~ /ENOENT/ } @from;
	ok($first, "there is a point where $name") or return;
	return { %$first, name => "where $name" };
}

# Whatever has happened to a run: the state is one of three, and the same command, with these options, comes to the end.
sub ends_well
{
	my ($what, @options) = @_;
	my $state = state_of();
	if (!exists $ended{$state})
	{
		fail("$what: $state");
		return;
	}
	$ended{$state}++;
	is($state eq 'committed' ? note_there() : 1, 1, "$what: a note says why") if $state eq 'committed';
	my ($succeeded, $output) = run_tool($state eq 'committed' ? unreachable_arguments(@options) : failback_arguments(@options));
	ok($succeeded, "$what: $state; the next run completes") or diag($output);
	is_finished_ok($what);
	return;
}

# --- What a killed run has staged is taken over ---
my @staged = grep { $_->{call} =~ /write/ && $_->{text} =~ m{pg_failback\.staging/} } @calls;
restore_target();
my ($status, $output, $reached) = run_with($staged[ int(@staged * 3 / 4) ], 'signal=KILL', failback_arguments(@one));
ok($reached, 'a run that was killed while it fetched');
is(state_of(), 'untouched', 'it has left the target as it was');
keep_target('interrupted');
my $succeeded;
($succeeded, $output) = run_tool(failback_arguments('--report=-'));
ok($succeeded, 'the next run completes') or diag($output);
my ($taken) = $output =~ /"taken_over": (\d+)/;
cmp_ok($taken // 0, '>', 512 * 1024, 'it takes over what was staged');
is_finished_ok('taken over from a killed run');

# --- The run that takes it over is killed, and every other time the one after it too ---
restore_target('interrupted');
my @taking = traced_calls(undef, failback_arguments(@one));
is_finished_ok('a traced run that takes over');
my @points = grep { defined } (
	first_call('staging is set aside', 'renameat', qr/"earlier\d*\./, @taking),
	first_call('its actions are set aside', 'renameat', qr/"earlier\d*\.actions"/, @taking),
	first_call('a block is taken over', 'pwrite64|write', qr/\.taken\./, @taking),
	first_call('what was set aside is removed', 'unlinkat', qr/"earlier\d*\./, @taking),
	first_call('the commit comes', 'renameat', qr/"pg_control\.old"/, @taking),
	first_call('the changes begin', 'renameat', qr/"applying"/, @taking));
my $named = @points;
push @points, spread_and_random(int($faults / 2), @taking);
my $twice = 0;
for my $i (0 .. $#points)
{
	my $point = $points[$i];
	my $what = 'taking over, killed ' . ($point->{name} // "at $point->{call} number $point->{when}");
	restore_target('interrupted');
	($status, $output, $reached) = run_with($point, 'signal=KILL', failback_arguments(@one));
	ok($reached, "$what: it was") if $point->{name};
	if ($i % 2 && state_of() eq 'untouched')
	{
		my $next = $taking[ int(rand(@taking)) ];
		run_with($next, 'signal=KILL', failback_arguments(@one));
		$what .= ", then at $next->{call} number $next->{when}";
		$twice++;
	}
	ends_well($what);
}
cmp_ok($ended{$_}, '>', 0, "some ended $_") for qw(untouched committed);

# --- Its disk fails ---
my @writing = grep { $_->{call} =~ /^(pwrite64|renameat|openat2|fsync|unlinkat|mkdirat)$/ } @taking;
my $errors = 0;
for my $point (grep { defined } @points[ 0, 2, 3 ], map { $writing[ int(rand(@writing)) ] } 1 .. int($faults / 4))
{
	my $error = $point->{call} =~ /^unlinkat$/ || ++$errors % 2 ? 'EIO' : 'ENOSPC';
	my $what = "taking over, $error " . ($point->{name} // "from $point->{call} number $point->{when}");
	restore_target('interrupted');
	($status, $output, $reached) = run_with($point, "error=$error", failback_arguments(@one));
	if ($reached && $status != 0)
	{
		is($status, 1, "$what: exit status 1");
		like($output, qr/(error|detail): /, "$what: with a message");
	}
	ends_well($what);
}

# --- Killed while it verifies, and while it writes the manifest ---
my @checking = ('--verify', '--manifest-checksums=sha256');
restore_target();
my @checks = traced_calls('openat2,pread64,pwrite64,write,renameat,unlinkat,fsync', failback_arguments(@one, @checking));
my ($applied) = map { $_->{place} } reverse grep { $_->{call} =~ /^renameat/ && $_->{text} =~ /"backup_label"/ } @checks;
my ($manifest) = map { $_->{place} } grep { $_->{text} =~ /"backup_manifest/ } @checks;
ok(defined $applied && defined $manifest, 'backup_label and the manifest are among the calls') or BAIL_OUT('no such calls');
@points = grep { defined } (
	first_call('what was written is read again', 'pread64', qr/pgdata\/base\//, grep { $_->{text} =~ /base/ && $_->{call} eq 'pread64' } @checks),
	first_call('the manifest is written', 'openat2', qr/"backup_manifest/, @checks),
	first_call('the manifest is in place', 'renameat', qr/"backup_manifest"/, @checks),
	first_call('the new pg_control is in place', 'renameat', qr/"pg_control"\)/, @checks));
my ($control) = map { $_->{place} } grep { $_->{call} =~ /^renameat/ && $_->{text} =~ /"pg_control"\)/ } @checks;
my ($commit) = map { $_->{place} } grep { $_->{call} =~ /^renameat/ && $_->{text} =~ /"pg_control\.old"/ } @checks;
push @points, spread_and_random(int($faults / 4), grep { $_->{place} > $commit && $_->{call} =~ /^(pread64|openat2)$/ } @checks);
for my $point (@points)
{
	my $what = 'checking, killed ' . ($point->{name} // "at $point->{call} number $point->{when}");
	restore_target();
	($status, $output, $reached) = run_with($point, 'signal=KILL', failback_arguments(@one, @checking));
	ok($reached, "$what: it was") if $point->{name};
	ends_well($what, @checking);
	command_ok([ 'pg_verifybackup', $old->data_dir ], "$what: pg_verifybackup accepts what the next run has made");
}

diag("tried points: $ended{untouched} untouched, $ended{committed} completed without the source, $ended{finished} finished already"
	  . " ($twice killed twice)");
starts_as_standby_ok('the last one');

done_testing();
