# What stands between a committed run and its completion, and between a run and its commit: damaged staging, a second
# helper, a server started meanwhile, an interrupt, a source that stalls or restarts.
# No twin by pg_rewind: pg_rewind has no staging; what counts is what an undisturbed run makes of the target.
use strict;
use warnings;
use Errno qw(ENOENT);
use Cwd ();
use FailbackTest;
use FaultScene;
use File::Basename qw(basename dirname);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

needs_injection();

split_brain();
my @calls = traced_calls('renameat,renameat2', failback_arguments());
remember_finished();
my ($commit) = grep { $_->{text} =~ /pg_control\.old/ } @calls;
my $staging = $old->data_dir . '/pg_failback.staging';

# Starts the tool in the background; its output grows in $job->{output}.
sub start_tool
{
	my (@arguments) = @_;
	my $job = { output => '' };
	$job->{handle} = IPC::Run::start([ tool(), @arguments ], '<', \undef, '>', \$job->{output}, '2>&1');
	return $job;
}

sub running { my ($job) = @_; return $job->{handle}->pumpable && do { $job->{handle}->pump_nb; $job->{handle}->pumpable }; }

# Its exit status, when it has ended.
sub finish_tool
{
	my ($job) = @_;
	$job->{handle}->finish;
	note($job->{output});
	return ($job->{handle}->full_results)[0] >> 8;
}

# Waits until the tool fetches: something has arrived in a redo file or a staged whole file.
sub wait_until_fetching
{
	my ($job) = @_;
	wait_until('the tool fetches', sub {
		running($job) or die "the tool ended early: $job->{output}";
		return grep { -s $_ } grep { -f $_ } glob("$staging/*");
	});
	return;
}

# About five seconds for what there is to fetch.
my @slowly = ('--max-rate=3M');

# The fingerprint as it is now must stay while the tool refuses.
sub changed_by
{
	my ($run) = @_;
	my $was = fingerprint($old->data_dir);
	my @result = $run->();
	return (join(' ', changed_files($was, fingerprint($old->data_dir))), @result);
}

# --- Staging damaged between the commit and the run that completes it ---
sub kill_after_commit
{
	restore_target();
	my ($next) = grep { $_->{place} > $commit->{place} } @calls;
	run_with($next, 'signal=KILL', failback_arguments());
	is(state_of(), 'committed', 'a run that was killed after its commit');
	return;
}

kill_after_commit();
my @staged = sort grep { -f $_ } glob("$staging/*");
note("staged: @staged");
my ($redo) = sort { -s $b <=> -s $a } grep { m{/blocks\.\d+$} } @staged;
# One of every kind: the plan, redo files, their rest, whole files (of a tablespace too), WAL.
my ($rest) = grep { m{\.rest$} } @staged;
my ($whole) = grep { m{/f\d+$} } @staged;
my ($segment) = grep { -f $_ } glob($old->data_dir . '/pg_wal/pg_failback.staging/*');
my ($spaced) = sort { -s $b <=> -s $a } grep { m{/f\d+$} } glob($old->data_dir . '/pg_tblspc/*/pg_failback.staging/*');
for my $victim ("$staging/plan", $redo, $rest, $whole, $spaced, $segment)
{
	(my $name = $victim // 'nothing') =~ s{.*/}{};
	ok(defined $victim && -s $victim, "$name is staged") or next;
	flip_bit($victim);
	my ($changed, $succeeded, $output, $status) = changed_by(sub { run_tool(unreachable_arguments()) });
	is($status, 1, "a flipped bit in $name: exit status 1");
	like($output, qr/error: staged (plan|file|data in) "\Q$victim\E" is damaged/, "a flipped bit in $name: the message names the file");
	is($changed, '', "a flipped bit in $name: nothing changes any more");
	flip_bit($victim);
}
rename $redo, "$redo.lost" or die "could not rename $redo: $!";
my ($changed, $succeeded, $output, $status) = changed_by(sub { run_tool(unreachable_arguments()) });
is($status, 1, 'a lost redo file: exit status 1');
like($output, qr/error: .*"\Q$redo\E"/, 'a lost redo file: the message names it');
is($changed, '', 'a lost redo file: nothing changes any more');
rename "$redo.lost", $redo or die "could not rename $redo: $!";
ok(completes_without_source(), 'undamaged again, it is completed');
is_finished_ok('repaired staging');

# --- Called from where the target is near: the note's command is for a shell anywhere ---
restore_target();
my $here = Cwd::getcwd();
chdir dirname($old->data_dir) or die "could not go to the target: $!";
my ($after_commit) = grep { $_->{place} > $commit->{place} } @calls;
run_with($after_commit, 'signal=KILL', failback_arguments('-D', basename($old->data_dir)));
chdir $here or die "could not go back: $!";
my ($typed) = slurp_file(note_path()) =~ /^    (cd .*)$/m;
ok(IPC::Run::run([ 'sh', '-c', 'cd / && ' . ($typed // 'false') ], '<', \undef, '>&', \$output), 'the command that the note has, typed in another directory')
  or diag($typed // 'no such command', "\n", $output);
is_finished_ok('completed by the command in the note');

# --- pg_control put back by hand in the middle of the work, and worked on: nothing of the target is believed ---
restore_target();
my @later = grep { $_->{place} > $commit->{place} } @calls;
run_with($later[ @later / 2 ], 'signal=KILL', failback_arguments());
ok(-e "$staging/applying" && !-e $old->data_dir . '/global/pg_control', 'killed in the middle of the changes');
rename "$staging/pg_control.old", $old->data_dir . '/global/pg_control' or die "could not put pg_control back: $!";
command_ok([ 'pg_resetwal', '-f', '-D', $old->data_dir ], 'and made it fit to start with pg_resetwal');
($succeeded, $output, $status) = run_tool(unreachable_arguments());
is($status, 1, 'the next run fails as it does not reach the source');
for my $attempt ('first', 'second')
{
	($succeeded, $output, $status) = run_tool(failback_arguments('--mode=wal'));
	is($status, 1, "with --mode=wal it is refused, the $attempt time");
	like($output, qr/error: .*started since an earlier run/, 'as a server has run on what may be half of the work');
}
($succeeded, $output, $status) = run_tool(failback_arguments());
is($status, 0, 'it is compared, and brought back') or diag($output);
like($output, qr/started since an earlier run/, 'and it says why');
starts_as_standby_ok('after a start on half of the work');

# --- A wrapper puts its copy of pg_control back after the commit, and calls again, as CloudNativePG does ---
restore_target();
my $control = $old->data_dir . '/global/pg_control';
append_to_file("$control.old", slurp_file($control));
run_with($later[ @later / 2 ], 'signal=KILL', failback_arguments());
ok(-e "$staging/applying" && !-e $old->data_dir . '/global/pg_control', 'killed in the middle of the changes, once more');
rename "$control.old", $control or die "the wrapper's copy is gone: $!";
($succeeded, $output, $status) = run_tool(unreachable_arguments());
is($status, 0, 'pg_control put back: what was begun is completed, without the source') or diag($output);
is_finished_ok('pg_control put back');
starts_as_standby_ok('after pg_control was put back');

# --- Two helpers at one target ---
restore_target();
my $first = start_tool(failback_arguments(@slowly));
wait_until_fetching($first);
($succeeded, $output, $status) = run_tool(failback_arguments());
is($status, 1, 'a second helper at the same target: exit status 1');
like($output, qr/error: another pg_failback is at work on/, 'a second helper: it says that another one is at work');
ok(running($first), 'the first one is still at work');
is(finish_tool($first), 0, 'and completes');
is_finished_ok('two helpers');

# --- A server started on the target meanwhile ---
restore_target();
my $job = start_tool(failback_arguments(@slowly));
wait_until_fetching($job);
$old->start;
is(finish_tool($job), 1, 'a server started on the target while it is fetched: exit status 1');
like($job->{output}, qr/error: .*(is running|server)/, 'a server started meanwhile: the message says so');
ok(-e $old->data_dir . '/global/pg_control', 'a server started meanwhile: the commit has not happened');
ok(!-e $staging, 'a server started meanwhile: staging is removed');
is($old->safe_psql('postgres', 'SELECT count(*), pg_is_in_recovery() FROM made_on_old'), '25000|f',
	'a server started meanwhile: it is served as before');
$old->stop('fast');
ok((run_tool(failback_arguments()))[0], 'after it was stopped, the failback completes');
starts_as_standby_ok('after a server was started meanwhile');

# The same, but it is stopped again in time: what it wrote is in no plan.
restore_target();
$job = start_tool(failback_arguments(@slowly));
wait_until_fetching($job);
$job->{handle}->signal('STOP');
$old->start;
$old->safe_psql('postgres', 'UPDATE kept SET t = t || t WHERE id <= 1000');
$old->stop('fast');
$job->{handle}->signal('CONT');
is(finish_tool($job), 1, 'a server started and stopped while the target is fetched: exit status 1');
like($job->{output}, qr/error: a server has been started on the target since this run began/, 'a server started and stopped: the message says so');
ok((run_tool(failback_arguments()))[0], 'a server started and stopped: the next run completes');
starts_as_standby_ok('after a server was started and stopped meanwhile');

# --- Interrupted: what was fetched is used by the next run, which asks the source whether it is still true ---
restore_target();
$job = start_tool(failback_arguments(@slowly, '--max-rate=1M', '--slot=of_the_standby', '--create-slot'));
wait_until('more than a little is staged', sub {
	running($job) or die "the tool ended early: $job->{output}";
	my $bytes = 0;
	$bytes += -s $_ // 0 for glob("$staging/*");
	return $bytes > 1024 * 1024;
});
$job->{handle}->signal('TERM');
is(finish_tool($job), 1, 'SIGTERM: exit status 1');
like($job->{output}, qr/the target is unchanged; the next run uses what was fetched/, 'SIGTERM: it says that the target is unchanged');
is(state_of(), 'untouched', 'SIGTERM: and so it is');
ok(!note_there(), 'SIGTERM: no note is left');
is($new->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots WHERE NOT temporary'), '0', 'SIGTERM: the slot that was made is dropped');
unlike($job->{output}, qr/could not drop/, 'SIGTERM: and it says nothing else');
starts_as_before_ok('SIGTERM');
$new->safe_psql('postgres', "UPDATE made_on_new SET t = 'changed meanwhile' WHERE i % 500 = 0; CHECKPOINT");
($succeeded, $output, $status) = run_tool(failback_arguments('--report=-'));
is($status, 0, 'after SIGTERM the next run completes');
my ($taken) = $output =~ /"taken_over": (\d+)/;
my ($fetched) = $output =~ /"fetched": (\d+)/;
cmp_ok($taken // 0, '>', 512 * 1024, 'it takes over what was staged');
ok(!-e $staging, 'and nothing is left of it');
starts_as_standby_ok('after SIGTERM');

# --- SIGTERM after the commit, as a service manager sends it: the message says that this is another state ---
restore_target();
my ($begins) = grep { $_->{text} =~ /"applying"/ } traced_calls('renameat', failback_arguments('-j1'));
restore_target();
($status, $output) = run_with($begins, 'signal=TERM', failback_arguments('-j1'));
is($status, 1, 'SIGTERM after the commit: exit status 1');
is(state_of(), 'committed', 'SIGTERM after the commit: so it is');
like($output, qr/the target cannot be started until this command is run again and completes/, 'SIGTERM after the commit: it says so');
unlike($output, qr/the target is unchanged/, 'SIGTERM after the commit: and not that it is unchanged');
refuses_to_start_ok('SIGTERM after the commit');
ok(completes_without_source(), 'SIGTERM after the commit: the next run completes');

# --- A write that the disk loses: --verify finds it in the run itself ---
restore_target();
my @writes = traced_calls('renameat,pwrite64', failback_arguments('-j1', '--verify'));
my ($committed) = map { $_->{place} } grep { $_->{text} =~ /"pg_control\.old"/ } @writes;
restore_target();
# Into a file that only the source has: what is missing there is not there by chance.
my ($lost) = grep { $_->{place} > $committed && $_->{text} =~ m{<([^>]*/base/\d+/\d+)>} && !-e $1 } @writes;
ok($lost, 'a block is written into a new file') or BAIL_OUT('no such call');
my ($file) = $lost->{text} =~ m{<[^>]*(base/\d+/\d+)>};
my ($length) = $lost->{text} =~ /(\d+), \d+\) += \d+$/;
($status, $output) = run_with($lost, "retval=$length", failback_arguments('-j1', '--verify'));
is($status, 1, 'a lost write: exit status 1');
like($output, qr/\Q$file\E/, 'a lost write: the file is named');
is(state_of(), 'committed', 'a lost write: pg_control stays away');
ok((run_tool(unreachable_arguments('--verify')))[0], 'a lost write: the next run writes it');
starts_as_standby_ok('a lost write');

# --- The slot for the standby: it is there from the commit on, whatever comes after it, and not before ---
my @slot = ('--slot=of_the_standby', '--create-slot', '-j1');
sub slots { return $new->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE NOT temporary AND slot_name = 'of_the_standby'"); }
sub drop_slot { return $new->safe_psql('postgres', "SELECT pg_drop_replication_slot('of_the_standby')"); }
restore_target();
$job = start_tool(failback_arguments(@slowly, @slot));
wait_until_fetching($job);
$job->{handle}->signal('KILL');
finish_tool($job);
is($new->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_replication_slots"), 1, 'killed before the commit: no slot stays');
restore_target();
my @flushes = traced_calls('renameat,fsync', failback_arguments(@slot));
is(slots(), 1, 'a slot is made');
drop_slot();
my ($renamed) = grep { $_->{text} =~ /pg_control\.old/ } @flushes;
my ($flush) = grep { $_->{call} eq 'fsync' && $_->{place} > $renamed->{place} } @flushes;
restore_target();
($status, $output) = run_with($renamed, 'error=EIO', failback_arguments(@slot));
is($status, 1, 'the commit fails: exit status 1');
is(state_of(), 'untouched', 'the commit fails: the target is untouched');
is(slots(), 0, 'the commit fails: the slot is dropped');
restore_target();
($status, $output) = run_with($flush, 'error=EIO', failback_arguments(@slot));
is($status, 1, 'the commit fails after its rename: exit status 1');
is(state_of(), 'committed', 'the commit fails after its rename: it has happened') or diag($output);
is(slots(), 1, 'the commit fails after its rename: the slot stays, as the next run does without the source');
ok(completes_without_source(), 'the commit fails after its rename: the next run completes');
$old->start;
is($new->poll_query_until('postgres', "SELECT active FROM pg_replication_slots WHERE slot_name = 'of_the_standby'"), 1, 'the standby streams from the slot') if slots();
$old->stop('fast');
like(slurp_file($old->data_dir . '/postgresql.auto.conf'), qr/^primary_slot_name = 'of_the_standby'/m, 'the standby names it');
is(slots(), 1, 'and it is still there');
drop_slot() if slots();

# --- A source that stalls ---
restore_target();
$job = start_tool(failback_arguments(@slowly, '--timeout=8'));
wait_until_fetching($job);
my @backends = split /\n/, $new->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE usename = 'failback_user' AND backend_type = 'client backend'");
cmp_ok(scalar(@backends), '>', 0, 'a stalled source: it has connections of the tool');
my $postmaster = (split /\n/, slurp_file($new->data_dir . '/postmaster.pid'))[0];
# The postmaster too: no new connection is served, as on a machine that hangs.
kill 'STOP', $postmaster, @backends;
my $stopped_at = time;
$status = finish_tool($job);
my $took = time - $stopped_at;
kill 'CONT', $postmaster, @backends;
is($status, 1, 'a stalled source: exit status 1');
like($job->{output}, qr/error: .*(timeout|silent|no answer|did not|within|nothing)/i, 'a stalled source: a clear message');
diag("a source stalled with --timeout=8 was given up after $took s");
# The default would be a minute.
cmp_ok($took, '<', 40, 'a stalled source: given up in time');
is(state_of(), 'untouched', 'a stalled source: the target is untouched');
like($job->{output}, qr/the next run uses what was fetched/, 'a stalled source: what was fetched stays for the next run');

# --- A source that is restarted in the middle ---
restore_target();
$job = start_tool(failback_arguments(@slowly));
wait_until_fetching($job);
$new->stop('immediate');
$new->start;
is(finish_tool($job), 0, 'the source is killed and restarted in the middle: the run completes') or diag($job->{output});
starts_as_standby_ok('after the source was restarted in the middle');

done_testing();
