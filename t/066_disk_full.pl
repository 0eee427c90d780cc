# A disk that runs full in the midst of the work: the data directory's, a tablespace's or pg_wal's, each a small tmpfs of its
# own. The tool says so, the target is untouched or the same command completes it. What is known to be too small is found
# before: on all of them at once, also where a tablespace is yet to be made, and once more right before the commit. The whole scene runs in a user namespace,
# which is where somebody else than root may mount.
# No twin by pg_rewind: pg_rewind leaves a broken target where a disk runs full.
use strict;
use warnings;
use File::Temp ();

# Before the test harness takes hold of this process.
BEGIN
{
	if (!$ENV{FAILBACK_DISKS})
	{
		my $disks = File::Temp::tempdir('disks_XXXXXX', DIR => $ENV{TESTDATADIR} || $ENV{TMPDIR} || '/tmp');
		my ($user, $group) = ($>, $) + 0);
		my $mounts = join ' && ', map { mkdir "$disks/$_"; "mount -t tmpfs -o mode=0777,size=160M none $disks/$_" } qw(data space wal late);
		# Outside it is this user, inside root first, and then this user again.
		my $again = "unshare --user --map-user=$user --map-group=$group";
		my $why = `unshare --map-root-user --mount sh -c '$mounts && $again true' 2>&1`;
		if ($? != 0)
		{
			$why =~ s/\s+/ /g;
			# As needed_or_skip in FailbackTest does it.
			if ($ENV{CI} && ($ENV{FAILBACK_LACKS} // '') !~ /\bnamespaces\b/)
			{
				print "1..1\nnot ok 1 - this machine has a user namespace with mounts of its own: $why\n";
				exit 1;
			}
			print STDERR "# 066_disk_full is skipped: no user namespace with mounts of its own: $why\n";
			print "1..0 # SKIP no user namespace with mounts of its own: $why\n";
			exit 0;
		}
		$ENV{FAILBACK_DISKS} = $disks;
		exec 'unshare', '--map-root-user', '--mount', 'sh', '-c', "$mounts && exec $again \"\$@\"", 'sh', $^X, (map { "-I$_" } @INC), $0
		  or die "could not run unshare: $!";
	}
}

use FailbackTest;
use FaultScene;
use POSIX ();
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;
use Time::HiRes qw(usleep);

plan skip_all => 'pg_rewind does not say what is left' if is_pg_rewind();
needs_injection();

my $disks = $ENV{FAILBACK_DISKS};
my %filler = map { $_ => "$disks/$_/filler" } qw(data space wal late);
split_brain(data => "$disks/data", space => "$disks/space/space", wal => "$disks/wal/wal", late => "$disks/late/late");

# Fills a disk, and goes on as long as something is removed; `when` says from when on. Returns the process that does it.
sub fill
{
	my ($disk, $when) = @_;
	my $parent = $$;
	my $pid = fork // die "could not fork: $!";
	return $pid if $pid;
	until ($when->()) { usleep(1000); POSIX::_exit(0) if getppid() != $parent; }
	open my $file, '>', $filler{$disk} or POSIX::_exit(1);
	while (getppid() == $parent)
	{
		for my $size (1_048_576, 4096, 1)
		{
			my $block = 'x' x $size;
			1 while (syswrite($file, $block) // 0) == $size;
		}
		usleep(1000);
	}
	POSIX::_exit(0);
}

# The disk has space again.
sub empty
{
	my ($disk, $pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	unlink $filler{$disk};
	return;
}

my @arguments = ('-D', $old->data_dir, '--compress=none', mapping(), mode());
my $asked = '--source-server=' . source_conninfo($new);

sub through_relay
{
	my (@options) = @_;
	my $relay = Relay->start($new, @options);
	my ($succeeded, $output, $status) = run_tool(@arguments, '--source-server=' . $relay->conninfo);
	return ($status, $output, $relay->stop->{bytes});
}

my ($status, $output, $bytes) = through_relay();
is($status, 0, 'with enough space it completes');
remember_finished();

my %ended = map { $_ => 0 } qw(untouched committed wrong);
sub fails_ok
{
	my ($what, $expected, $message) = @_;
	is($status, 1, "$what: exit status 1");
	like($output, $message // qr/error: could not .*No space left on device/, "$what: the message says so");
	my $state = state_of();
	is($state, $expected, "$what: $expected");
	$ended{ exists $ended{$state} ? $state : 'wrong' }++;
	return;
}

# --- Before the commit, after so much of what comes from the source ---
# Nothing is written to the new tablespace before the commit.
for (['data', 0.4], ['space', 0.4], ['data', 0.7], ['wal', 0.4], ['late', 0.4])
{
	my ($disk, $part) = @$_;
	my $too_late = qr/error: there is no longer enough space.*\n.*not enough space below "\Q$disks\E\//;
	my $what = sprintf('%s disk full after %d %% of the bytes', $disk, 100 * $part);
	restore_target();
	my $flag = "$disks/now";
	unlink $flag;
	my $filler = fill($disk, sub { -e $flag });
	($status, $output) = through_relay(
		trouble_after => int($bytes * $part),
		trouble => sub {
			append_to_file($flag, '');
			# The relay holds everything up until the disk is full.
			my $free = sub { my ($said) = `df -k --output=avail $disks/$disk` =~ /(\d+)\s*$/; $said };
			for (1 .. 10000) { last if $free->() < 4; usleep(1000); }
		});
	fails_ok($what, 'untouched', $disk eq 'late' ? $too_late : qr/error: could not .*No space left on device|$too_late/);
	ok(!-e $old->data_dir . '/pg_failback.staging' && !note_there(), "$what: nothing of ours is left");
	empty($disk, $filler);
	if ($disk eq 'space') { starts_as_before_ok($what); next; }
	($status, $output) = through_relay();
	is($status, 0, "$what: with space again, the next run completes") or diag($output);
	is_finished_ok($what);
}

# --- Known to be too small ---
sub bytes_free { my ($disk) = @_; my ($said) = `df -B1 --output=avail $disks/$disk` =~ /(\d+)\s*$/; return $said; }

# Leaves so much on a disk.
sub leave
{
	my ($disk, $bytes) = @_;
	my $much = bytes_free($disk) - $bytes;
	system("head -c $much /dev/zero > $filler{$disk}") == 0 or die "could not fill $disk";
	return;
}

sub refused_untouched_ok
{
	my ($what, $pattern, @options) = @_;
	(my $succeeded, $output, $status) = run_tool(@arguments, $asked, @options);
	is($status, 1, "$what: exit status 1");
	like($output, $pattern, "$what: its message");
	is(state_of(), 'untouched', "$what: untouched");
	return;
}

# 16 MB have to be left on each; the table of 3000 rows in the new tablespace has some 200 kB more.
restore_target();
leave('late', 16 * 1024 * 1024 + 64 * 1024);
for my $options (['-n'], [], ['--mode=compare'])
{
	refused_untouched_ok("too little space for a new tablespace, @$options",
		qr/not enough space below "\Q$disks\E\/late\/late": 16 MB needed, 16 MB available/, @$options);
	unlike($output, qr/not enough space below "\Q$disks\E\/(data|wal|space)/, 'the others have enough');
}
leave($_, 4 * 1024 * 1024) for ('data', 'wal');
for my $options (['-n'], [])
{
	refused_untouched_ok("too little space on three disks, @$options", qr/(?=.*not enough space below "\Q$disks\E\/data\/pgdata")(?=.*not enough space below "\Q$disks\E\/data\/pgdata\/pg_wal")(?=.*not enough space below "\Q$disks\E\/late\/late")/s, @$options);
}
unlink $filler{$_} for ('data', 'wal', 'late');

# WAL comes from the archive: that there is no room for it does not mean that the archive has none.
SKIP:
{
	skip 'comparing restores no WAL', 5 if comparing();
	restore_target();
	my $archive = PostgreSQL::Test::Utils::tempdir;
	my $last = controldata($old, "Latest checkpoint's REDO WAL file");
	system('mv', "$disks/wal/wal/$last", $archive) == 0 or die "could not move $last";
	my @restoring = (@arguments, $asked, "--restore-command=cp $archive/%f %p");
	leave('wal', 512 * 1024);
	($status, $output) = (run_tool(@restoring))[2, 1];
	is($status, 1, 'no room for restored WAL: exit status 1');
	like($output, qr/error: could not restore WAL segment to "\S*$last": No space left on device/, 'no room for restored WAL: its message');
	unlink $filler{wal};
	is(join(' ', differences()), "pg_wal/./$last", 'no room for restored WAL: nothing else has changed');
	ok((run_tool(@restoring))[0], 'with room again, it completes');
	is_finished_ok('restored WAL');
}

# --- After the commit ---
SKIP:
{
	restore_target();
	my ($commit) = grep { $_->{text} =~ /pg_control\.old/ } traced_calls('renameat,renameat2', @arguments, $asked);
	for my $disk ('data', 'space', 'wal')
	{
		my $what = "$disk disk full after the commit";
		restore_target();
		my $filler = fill($disk, sub { !-e $old->data_dir . '/global/pg_control' });
		# Time to fill it.
		($status, $output) = run_with($commit, 'delay_exit=3000000', @arguments, $asked);
		if ($status == 0)
		{
			note("$what: enough was left");
			empty($disk, $filler);
			is_finished_ok($what);
			next;
		}
		fails_ok($what, 'committed');
		like($output, qr/cannot be started until this command is run again/, "$what: says what to do");
		(my $succeeded, $output, $status) = run_tool(@arguments, unreachable());
		fails_ok("$what, and still full", 'committed');
		empty($disk, $filler);
		ok((run_tool(@arguments, unreachable()))[0], "$what: with space again, it is completed without the source");
		is_finished_ok($what);
	}
	cmp_ok($ended{committed}, '>', 0, 'some disk was full after the commit');
}
diag("disks ran full: $ended{untouched} times the target was untouched, $ended{committed} times committed and completed later, $ended{wrong} times something else");

done_testing();
