# One small split brain that is failed back again and again, each time hindered in another way.
#
# The stopped target is copied aside once; restore_target puts it back. The source does nothing of its own, so that
# every completed run must leave the same bytes. Faults are injected with strace into single system calls.
#
# Called by a name that ends with _comparing, all runs of a scene compare contents: t/094 to t/097 are links to others.
package FaultScene;

use strict;
use warnings;

use Exporter 'import';
use FailbackTest;
use File::Path qw(remove_tree);
use File::Temp ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  needs_injection can_inject comparing fault_count seed work_in_memory split_brain mapping keep_target restore_target failback_arguments
  unreachable unreachable_arguments use_mode mode
  traced_calls spread spread_and_random run_with state_of differences remember_finished
  is_finished_ok starts_as_before_ok refuses_to_start_ok note_there note_path completes_without_source starts_as_standby_ok
  $old $new
);

our ($old, $new);

# What a run opens and changes files and talks to the source with.
my $traced = 'openat2,openat,pwrite64,write,renameat,renameat2,unlinkat,mkdir,mkdirat,symlinkat,ftruncate,fsync,'
  . 'sync_file_range,sendto,recvfrom';
# All its threads, but not the server's program that it asks for settings: hits there would tell nothing of ours.
my @of_the_tool = ('-f', '-qq', '-b', 'execve');
my $place;     # of the tablespace and the copies
my $late;      # where the target is to have a tablespace that only the source has
my @restored;  # [directory, copy aside]
my $before;    # fingerprint of the target as it was
my %finished;  # what an undisturbed run makes of it, see comparable(); by mode, '' or 'compare'
my $mode = $0 =~ /_comparing\.pl$/ ? 'compare' : '';

# Skips the scene where it cannot be done.
sub needs_injection
{
	plan skip_all => 'is about pg_failback' if is_pg_rewind();
	return needed_or_skip(can_inject(), 'strace', 'a strace that may trace');
}

sub can_inject
{
	return 0 if is_pg_rewind();
	return IPC::Run::run([ 'strace', '-f', '-qq', '-o', '/dev/null', 'true' ], '<', \undef, '>&', \my $output);
}

# Whether the runs of this scene compare contents; and what tells them to.
sub comparing { return $mode eq 'compare'; }
# The scene itself tells its runs to compare, or no longer: use_mode('compare'), use_mode('').
sub use_mode { ($mode) = @_; return; }
sub mode { return comparing() ? ('--mode=compare') : (); }

# How many faults a scene tries: half of them where it is a repetition.
sub fault_count { my ($default) = @_; return int(($ENV{FAULTS} || $default) / (comparing() ? 2 : 1)) || 1; }

# What is random from here on is repeated by SEED=N.
sub seed
{
	my $seed = $ENV{SEED} // (time ^ ($$ << 8)) & 0x7fffffff;
	srand($seed);
	diag("SEED=$seed");
	return;
}

# Hundreds of flushed runs take long on a disk, and a kill does not tell one from memory: servers made after this lie
# in /dev/shm, if there is room.
sub work_in_memory
{
	my ($output) = run_command([ 'df', '-Pk', '/dev/shm' ]);
	my $free = $output =~ /\s(\d+)\s+\d+%\s/ ? $1 : 0;
	return if $free < 600 * 1024 || !-w '/dev/shm';
	$PostgreSQL::Test::Utils::tmp_check = File::Temp::tempdir('pg_failback_XXXXXX', DIR => '/dev/shm', CLEANUP => 1);
	return;
}

# Sets $old (stopped, copied aside) and $new (running, at rest). The target's tablespace, its pg_wal and all the rest can be
# on filesystems of their own: split_brain(space => directory, wal => directory, data => directory), all empty or absent;
# late => 1: the source has made a tablespace since; late => directory: and there the target is to have it.
sub split_brain
{
	my (%on) = @_;
	work_in_memory();
	$place = PostgreSQL::Test::Utils::tempdir;
	my $space = $on{space} // "$place/space";
	mkdir $space;
	# Small segments keep the copies small.
	# The WAL before the divergence has to stay, or runs that go by it would compare: every run that does compare makes the source
	# end a segment.
	my $keep = comparing() ? 16 : 512;
	$old = start_primary('old', initdb => ['--wal-segsize=1'], conf => <<"CONF");
autovacuum = off
min_wal_size = 2MB
max_wal_size = 32MB
wal_keep_size = ${keep}MB
max_replication_slots = 60
max_wal_senders = 60
max_connections = 100
wal_sender_timeout = 15s
jit = off
CONF
	$old->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$space'; ALTER ROLE failback_user REPLICATION");
	$old->safe_psql('postgres', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, t text);
INSERT INTO kept SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
CREATE TABLE spaced TABLESPACE space AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i;
CREATE TABLE shortened AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i;
CREATE TABLE dropped_on_old AS SELECT i, md5(i::text) AS t FROM generate_series(1, 3000) i;
CREATE TABLE dropped_on_new AS SELECT i, md5(i::text) AS t FROM generate_series(1, 3000) i;
VACUUM;
SQL
	$new = add_standby('new', $old, options => [ '-T', "$space=$place/space_of_new" ]);
	promote($new);
	for my $node ($old, $new)
	{
		my $name = $node->name;
		$node->safe_psql('postgres', <<"SQL");
UPDATE kept SET t = '$name' || id WHERE id % 50 = 0;
INSERT INTO kept SELECT i, '$name' || i FROM generate_series(20001, 23000) i;
UPDATE spaced SET t = '$name' WHERE i % 40 = 0;
DROP TABLE dropped_on_$name;
CREATE TABLE made_on_$name AS SELECT i, md5(i::text) AS t FROM generate_series(1, 25000) i;
CREATE TABLE spaced_on_$name TABLESPACE space AS SELECT i, md5(i::text) AS t FROM generate_series(1, 25000) i;
CREATE TABLE small_on_$name AS SELECT i FROM generate_series(1, 5000) i;
SQL
		cut_off($node, 'shortened', 'i > 9000');
		$node->safe_psql('postgres', 'TRUNCATE dropped_on_' . ($name eq 'old' ? 'new' : 'old'));
	}
	# A file that is longer here.
	$old->safe_psql('postgres', "INSERT INTO shortened SELECT i, md5(i::text) FROM generate_series(30000, 33000) i");
	make_late_tablespace($on{late} eq '1' ? "$place/late" : $on{late}) if $on{late};
	$old->stop('fast');
	move_target($on{data}, $on{wal});
	@restored = ([ $old->data_dir, "$place/old.aside" ], [ $space, "$place/space.aside" ]);
	push @restored, [ $on{wal}, "$place/wal.aside" ] if $on{wal};
	command_ok([ 'cp', '-a', '--reflink=auto', @$_ ], "copy of $_->[0] of the stopped target") for @restored;
	$before = fingerprint($old->data_dir);
	# Hint bits of what our own sessions read are set now, and written.
	for (1 .. 2)
	{
		$new->safe_psql($_, 'VACUUM') for ('postgres', 'template1');
		run_tool(failback_arguments());
		restore_target();
	}
	$new->safe_psql('postgres', 'CHECKPOINT');
	is(join(' ', differences()), '', 'a restored target is the one it was');
	return;
}

# A tablespace that only the source has. Its WAL puts it where the target is to have it: so the source's own moves away, as if
# it were another machine's, and is mapped back.
sub make_late_tablespace
{
	($late) = @_;
	mkdir $late or die "could not create $late: $!";
	$new->safe_psql('postgres', "CREATE TABLESPACE late LOCATION '$late'");
	$new->safe_psql('postgres', 'CREATE TABLE lately TABLESPACE late AS SELECT i, md5(i::text) AS t FROM generate_series(1, 3000) i');
	my $oid = $new->safe_psql('postgres', "SELECT oid FROM pg_tablespace WHERE spcname = 'late'");
	$new->stop('fast');
	system('mv', $late, "$place/late_of_new") == 0 or die "could not move $late";
	my $link = $new->data_dir . "/pg_tblspc/$oid";
	unlink $link;
	symlink "$place/late_of_new", $link or die "could not link $link: $!";
	$new->start;
	return;
}

# The stopped target, or its pg_wal alone, to another place.
sub move_target
{
	my ($data, $wal) = @_;
	if ($wal)
	{
		system('cp', '-a', $old->data_dir . '/pg_wal', $wal) == 0 or die "could not move pg_wal to $wal";
		remove_tree($old->data_dir . '/pg_wal');
		symlink $wal, $old->data_dir . '/pg_wal' or die "could not link pg_wal: $!";
	}
	if ($data)
	{
		system('cp', '-a', $old->data_dir, "$data/pgdata") == 0 or die "could not move the target to $data";
		$old->{_basedir} = $data;
	}
	return;
}

# keep_target(NAME): copies the target as it is now, for restore_target(NAME). Only before a commit.
sub keep_target
{
	my ($name) = @_;
	for (@restored)
	{
		my ($where, $aside) = @$_;
		system('cp', '-a', '--reflink=auto', $where, "$aside.$name") == 0 or die "could not copy $where";
	}
	return;
}

# The target as it was when it was stopped, or when keep_target gave it a name.
sub restore_target
{
	my ($name) = @_;
	for (@restored)
	{
		my ($where, $from) = @$_;
		$from .= ".$name" if defined $name;
		remove_tree($where);
		system('cp', '-a', '--reflink=auto', $from, $where) == 0 or die "could not restore $where";
	}
	remove_tree($late) if $late;
	return;
}

sub failback_arguments
{
	my (@options) = @_;
	return ('-D', $old->data_dir, '--source-server=' . source_conninfo($new), '-R', mapping(), mode(), @options);
}

# What every run on this machine needs, for the tablespace that only the source has.
sub mapping { return $late ? "--tablespace-mapping=$place/late_of_new=$late" : (); }

# The same with a source that nobody can reach.
sub unreachable { return '--source-server=host=127.0.0.1 port=1 user=failback_user dbname=postgres'; }
sub unreachable_arguments
{
	my (@options) = @_;
	return ('-D', $old->data_dir, unreachable(), '-R', mapping(), mode(), @options);
}

# traced_calls(calls or undef, arguments...): the system calls of a run, in order, as { call, when, text, place }. A call can be hit
# with strace's `when` if its thread is the first one to make so many of its kind; others are left out. `place` is the
# position among all calls.
sub traced_calls
{
	my ($calls, @arguments) = @_;
	my $log = "$place/trace";
	$calls //= $traced;
	my $output = '';
	IPC::Run::run([ 'strace', @of_the_tool, '-y', '-s', '200', '-o', $log, '-e', "trace=$calls", tool(), @arguments ],
		'<', \undef, '>&', \$output)
	  or die "a traced run failed: $output";
	my (%made, %seen, @calls);
	my $position = 0;
	for my $line (split /\n/, slurp_file($log))
	{
		next if $line !~ /^(\d+) +(\w+)\((.*)/;
		my ($thread, $call, $text) = ($1, $2, $3);
		my $when = ++$made{$thread}{$call};
		push @calls, { call => $call, when => $when, text => $text, place => $position }
		  if !$seen{$call}{$when}++;
		$position++;
	}
	return @calls;
}

# `count` of these, evenly.
sub spread
{
	my ($count, @from) = @_;
	return @from if @from <= $count;
	return map { $from[ int(($_ + 0.5) * @from / $count) ] } 0 .. $count - 1;
}

# `count` of these: half of them evenly, the others at random.
sub spread_and_random
{
	my ($count, @from) = @_;
	return @from if @from <= $count;
	my @evenly = spread(int(($count + 1) / 2), @from);
	return (@evenly, map { $from[ int(rand(@from)) ] } 1 .. $count - @evenly);
}

# run_with(call, what, arguments...): the tool, with e.g. what = 'signal=KILL' at this call. (exit status or -1 if it was
# killed, output, whether the call was reached)
sub run_with
{
	my ($call, $what, @arguments) = @_;
	my $output = '';
	my $log = "$place/injected";
	# The faster way delivers no signals.
	my @faster = $what =~ /signal/ ? () : ('--seccomp-bpf');
	IPC::Run::run(
		[
			'strace', @of_the_tool, @faster, '-o', $log, '-e', "trace=$call->{call}", '-e',
			"inject=$call->{call}:$what:when=$call->{when}", tool(), @arguments
		],
		'<', \undef, '>&', \$output);
	my $status = $?;
	return (($status & 127) ? -1 : $status >> 8, $output, slurp_file($log) =~ /INJECTED|killed by SIGKILL/ ? 1 : 0);
}

# Without the names that are ours, which PostgreSQL ignores.
sub without_ours { return grep { !m{(^|/)pg_failback\.(staging|record)(/|$)|^global/pgsql_tmp\.pg_failback_moved_pg_control} } @_; }

# What is not as it was in the stopped target, our own names left aside.
sub differences
{
	return without_ours(changed_files($before, fingerprint($old->data_dir)));
}

# Everything but what differs from run to run: WAL, its beginning and end (each run writes a record on the source), and times.
sub comparable
{
	my $seen = fingerprint($old->data_dir);
	my %kept;
	for my $name (keys %$seen)
	{
		# A finished target is compared once more if it is asked for, and has other settings than the source by then.
		next if comparing() && $name eq 'postgresql.auto.conf.source';
		next if $name =~ m{^pg_wal/(\./)?(archive_status/)?[0-9A-F]{24}(\.\w+)?$} || $name =~ m{^global/pg_control$|^pg_failback\.record|^backup_manifest$};
		($kept{$name} = $seen->{$name}) =~ s/^(file \d+ \d+) \d+ /$1 /;
	}
	(my $label = slurp_file($old->data_dir . '/backup_label')) =~ s/^START TIME:.*\n//m;
	# Each comparison is a backup with a checkpoint of its own.
	$label =~ s/^(START WAL|CHECKPOINT) LOCATION:.*\n//gm if comparing();
	$kept{backup_label} = $label;
	return \%kept;
}

# The target is what an undisturbed run made of it.
sub remember_finished { $finished{$mode} = comparable(); return; }

# 'untouched': pg_control in place and everything as before; 'committed': pg_control aside; 'finished': the standby,
# complete. Anything else is described.
sub state_of
{
	return 'committed' if !-e $old->data_dir . '/global/pg_control';
	my @changed = differences();
	return 'untouched' if !@changed;
	return "neither before nor after: @changed[0 .. ($#changed < 9 ? $#changed : 9)]" if !-e $old->data_dir . '/backup_label';
	my @wrong = without_ours(changed_files($finished{$mode}, comparable()));
	return @wrong ? "finished, but different: @wrong[0 .. ($#wrong < 9 ? $#wrong : 9)]" : 'finished';
}

# Nothing of ours is left and all bytes are right.
sub is_finished_ok
{
	my ($what) = @_;
	my @wrong = changed_files($finished{$mode}, comparable());
	is("@wrong", '', "$what: the same bytes as after an undisturbed run");
	return;
}

sub starts_as_before_ok
{
	my ($what) = @_;
	$old->start(fail_ok => 1) or do { fail("$what: the untouched target starts"); return; };
	is($old->safe_psql('postgres', "SELECT count(*), pg_is_in_recovery() FROM made_on_old"), '25000|f',
		"$what: the untouched target starts as the primary it was");
	$old->stop('fast');
	return;
}

sub note_path { return $old->data_dir . '/global/pgsql_tmp.pg_failback_moved_pg_control'; }
sub note_there { return -e note_path(); }

sub refuses_to_start_ok
{
	my ($what) = @_;
	my $output = '';
	my $started = IPC::Run::run([ 'pg_ctl', '-w', '-D', $old->data_dir, '-l', "$place/refused.log", 'start' ],
		'<', \undef, '>&', \$output);
	ok(!$started, "$what: PostgreSQL refuses to start on half of the work");
	my $log = slurp_file("$place/refused.log");
	like($log, qr/pg_control/, "$what: and names pg_control");
	my $dir = $old->data_dir;
	like(slurp_file(note_path()), qr/^    pg_failback .*-D \Q$dir\E .*-R/m, "$what: the note has the command") if note_there();
	unlink "$place/refused.log";
	return;
}

sub completes_without_source
{
	my ($succeeded, $output) = run_tool(unreachable_arguments());
	diag($output) if !$succeeded;
	return $succeeded;
}

# Starts the finished target, compares rows, and stops it.
sub starts_as_standby_ok
{
	my ($what) = @_;
	$old->start(fail_ok => 1) or do { fail("$what: starts as a standby"); return; };
	ok(wait_streaming($old, $new), "$what: streams");
	same_rows($old, $new);
	$old->stop('fast');
	return;
}

1;
