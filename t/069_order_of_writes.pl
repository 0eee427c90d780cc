# The order of writes, as a power failure would see it: strace's record of a run, played on a model of what is on disk. Before the
# commit and before the new pg_control all that counts is flushed; nothing is flushed that was not written. And what a kill
# between the note and the commit leaves is in nobody's way.
use strict;
use warnings;
use Cwd qw(realpath);
use FailbackTest;
use FaultScene;
use File::Basename qw(dirname);
use File::Find;
use PostgreSQL::Test::Utils;
use Test::More;

needs_injection();
split_brain(late => 1);
my $dir = realpath($old->data_dir);
my $calls = 'openat2,openat,pwrite64,write,renameat,renameat2,unlinkat,mkdir,mkdirat,symlinkat,ftruncate,fsync,syncfs,fdatasync';

# traced(\@options of strace, arguments...): the calls of a run that had success, in order, as [name, arguments, result].
sub traced
{
	my ($options, @arguments) = @_;
	my $log = PostgreSQL::Test::Utils::tempdir . '/trace';
	IPC::Run::run([ 'strace', '-f', '-y', '-qq', '-s', '4096', '-o', $log, '-e', "trace=$calls", @$options, tool(), @arguments ],
		'<', \undef, '>&', \my $output);
	note($output);
	my (%begun, @made);
	for (split /\n/, slurp_file($log))
	{
		my ($thread, $text) = /^(\d+) +(.*)/ or next;
		if ($text =~ s/ <unfinished \.\.\.>$//) { $begun{$thread} = $text; next; }
		$text =~ s/^<\.\.\. \w+ resumed>/delete($begun{$thread}) \/\/ ''/e;
		push @made, [ $1, $2, $4 ] if $text =~ /^(\w+)\((.*)\) += (\d+)(.*)/;
	}
	return @made;
}

# play(\%disk, calls...): %$disk has what is not on disk yet (dirty), what was written at all (touched), and the names that there
# are. Returns what was flushed although nobody had written it, and leaves what was dirty at the two renames that count.
sub play
{
	my ($disk, @made) = @_;
	my ($dirty, $touched, $names) = @$disk{qw(dirty touched names)};
	my $write = sub { $dirty->{$_} = $touched->{$_} = 1 for @_; };
	my @wasted;
	for (@made)
	{
		my ($call, $text, $result) = @$_;
		# Where the path is of a descriptor, and the names relative to such.
		my ($file) = $text =~ /^\d+<([^>]*)>/;
		my @at = map { "$_->[0]/$_->[1]" } pairs($text =~ /(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"/g);
		if ($call =~ /^(pwrite64|write|ftruncate)$/) { $write->($file) if defined $file && $file =~ m{^/} && $file !~ m{^/dev/(null|pts)}; }
		elsif ($call =~ /^openat/)
		{
			my ($opened) = $result =~ /^<([^>]*)>/;
			next if $text !~ /O_CREAT/ || !defined $opened;
			# Its directory is flushed whether or not the file was there before.
			$touched->{$_} = 1 for ($opened, dirname($opened));
			next if $names->{$opened}++;
			$write->($opened, dirname($opened));
		}
		elsif ($call =~ /^f(data)?sync$/)
		{
			push @wasted, $file if !$touched->{$file};
			delete $dirty->{$file};
		}
		elsif ($call eq 'syncfs') { delete @$dirty{ grep { index($_, $file) == 0 } keys %$dirty }; }
		elsif ($call =~ /^renameat/)
		{
			my ($from, $to) = @at;
			$disk->{$1} = [ sort keys %$dirty ] if $to =~ m{/(pg_control(?:\.old)?)$};
			$dirty->{$to} = 1 if delete $dirty->{$from};
			$names->{$to} = delete $names->{$from};
			$write->(dirname($from), dirname($to));
			$touched->{$to} = 1;
		}
		elsif ($call eq 'unlinkat')
		{
			delete $dirty->{ $at[0] };
			delete $names->{ $at[0] };
			$write->(dirname($at[0]));
		}
		else # a directory or link is made
		{
			my ($made) = $call eq 'mkdir' ? $text =~ /^"([^"]*)"/ : @at;
			$names->{$made} = 1;
			$write->(dirname($made));
			$write->($made) if $call =~ /^mkdir/;
		}
	}
	return @wasted;
}

sub pairs { my @all = @_; return map { [ @all[ 2 * $_, 2 * $_ + 1 ] ] } 0 .. @all / 2 - 1; }

sub new_disk
{
	my %names;
	find({ wanted => sub { $names{ realpath($_) // $_ } = 1 }, no_chdir => 1, follow_fast => 1, follow_skip => 2 }, $dir);
	return { dirty => {}, touched => {}, names => \%names };
}

my $staging = qr{/pg_failback\.staging(/|$)};

# What must be so after a whole run.
sub ordered_ok
{
	my ($what, $disk, @wasted) = @_;
	if ($disk->{'pg_control.old'})
	{
		# "actions" is for a run that takes over from one interrupted before the commit, and is believed only if it is whole.
		my @at_commit = grep { !m{/pg_failback\.staging/actions$} } @{ $disk->{'pg_control.old'} };
		is("@at_commit", '', "$what: all is flushed when pg_control is moved aside");
	}
	else { fail("$what: pg_control is moved aside"); }
	my @at_end = grep { $_ !~ $staging } @{ $disk->{'pg_control'} // ['no rename of pg_control'] };
	is("@at_end", '', "$what: all but staging is flushed when pg_control comes back");
	my %emptied = map { $_ => 1 } map { dirname($_) } grep { $_ =~ m{/pg_failback\.staging$} } keys %{ $disk->{touched} };
	my @after = grep { !$emptied{$_} && $_ !~ $staging } sort keys %{ $disk->{dirty} };
	is("@after", '', "$what: nothing is left but that staging has gone");
	is("@wasted", '', "$what: nothing is flushed that was not written");
	return;
}

for my $options ([], ['--mode=compare'], [ '--verify', '--manifest-checksums=sha256', '--config-files=source' ], ['-j4'])
{
	my $what = join(' ', 'a run', @$options);
	restore_target();
	my $disk = new_disk();
	ordered_ok($what, $disk, play($disk, traced([], failback_arguments(@$options))));
	cmp_ok(scalar(keys %{ $disk->{touched} }), '>', 50, "$what: much was written");
	remember_finished() if !@$options;
}

# What the first run has written and not flushed, the second has to flush.
restore_target();
my ($size) = grep { $_->{text} =~ m{pgdata/base/\d+/\d} } traced_calls('ftruncate', failback_arguments('-j1'));
for ([ 'ftruncate', $size->{when} ], [ 'symlinkat', 1 ])
{
	my ($call, $when) = @$_;
	my $what = "killed at $call and completed";
	restore_target();
	my $disk = new_disk();
	my @wasted = play($disk, traced([ '-e', "inject=$call:signal=KILL:when=$when" ], failback_arguments('-j1')));
	is(state_of(), 'committed', "$what: after the commit");
	# pg_control is moved away by the first, and flushed by the second once more.
	ordered_ok($what, $disk, @wasted, play($disk, traced([], unreachable_arguments('-j1'))));
	is_finished_ok($what);
}

# --no-sync is believed.
restore_target();
my @flushes = grep { $_->[0] =~ /sync/ } traced([], failback_arguments('--no-sync'));
is(scalar(@flushes), 0, '--no-sync: nothing is flushed');

# --- A kernel, or a filter of system calls, without openat2: the same run in smaller steps ---
restore_target();
my @opened = grep { $_->[0] =~ /^openat/ } traced([ '-e', 'inject=openat2:error=ENOSYS' ], failback_arguments());
is(scalar(grep { $_->[0] eq 'openat2' } @opened), 0, 'without openat2');
is_finished_ok('without openat2');

# --- Killed between the note and the commit ---
restore_target();
my ($commit) = grep { $_->{text} =~ /"pg_control\.old"/ } traced_calls('renameat', failback_arguments('-j1'));
restore_target();
run_with($commit, 'signal=KILL', failback_arguments('-j1'));
ok(note_there() && state_of() eq 'untouched', 'killed between the note and the commit');
like(slurp_file(note_path()), qr/If global\/pg_control is there, this file means nothing/, 'the note says so');
command_ok([ 'pg_checksums', '--check', '-D', $old->data_dir ], 'pg_checksums takes no offence at it');
$old->start;
command_ok(
	[ 'pg_basebackup', '-Ft', '-D', PostgreSQL::Test::Utils::tempdir . '/backup', '-h', $old->host, '-p', $old->port, '-c', 'fast', '--no-sync' ],
	'nor does pg_basebackup');
$old->stop('fast');
ok((run_tool(failback_arguments()))[0], 'the next run completes');
ok(!note_there() && !-e $old->data_dir . '/pg_failback.staging', 'and nothing of ours is left');

done_testing();
