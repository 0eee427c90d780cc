# Options that wrappers give along are honoured together: -c with --config-file, -N, -P, --sync-method=syncfs,
# --no-ensure-shutdown, --debug. And wrappers that repeat a failing run, remove standby.signal before each and make it anew
# after it, and keep a copy of pg_control meanwhile.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind 15 does not know them all' if is_pg_rewind();

my $old = start_primary('old', conf => "restore_command = 'false'\nautovacuum = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');
my $dir = $old->data_dir;
my @source = ("--target-pgdata=$dir/", '--source-server=' . source_conninfo($new));
my @all = ('--restore-target-wal', "--config-file=$dir/postgresql.conf", '--progress', '--no-ensure-shutdown', '--debug');

my ($succeeded, $output) = run_tool(@source, @all, '--dry-run', '--no-sync');
ok($succeeded, 'all of them, --dry-run');
like($output, qr/^pg_failback: base\/\d+\/\d+: change$/m, '--debug: it tells which files');

# What each way of flushing does, by the calls of a run on a copy of the target.
SKIP:
{
	skip 'needs a strace that may trace', 9 if !IPC::Run::run([ 'strace', '-f', '-qq', '-o', '/dev/null', 'true' ], '<', \undef, '>&', \my $said);
	my $place = PostgreSQL::Test::Utils::tempdir;
	my %calls;
	for my $how ('--sync-method=fsync', '--sync-method=syncfs', '--no-sync')
	{
		system('cp', '-a', $dir, "$place/copy") == 0 or die 'could not copy the target';
		my @flushing = ('strace', '-f', '-qq', '-o', "$place/trace", '-e', 'trace=fsync,fdatasync,sync_file_range,syncfs,sync,msync');
		ok(IPC::Run::run([ @flushing, tool(), '-D', "$place/copy", $source[1], $how, @all ], '<', \undef, '>', \$said, '2>&1'), "$how: completes")
		  or diag($said);
		$calls{$how}{$_}++ for slurp_file("$place/trace") =~ /^\d+ +(\w+)\(/mg;
		note("$how: ", join ', ', map { "$_ $calls{$how}{$_}" } sort keys %{ $calls{$how} });
		system('rm', '-rf', "$place/copy", "$place/trace");
	}
	cmp_ok($calls{'--sync-method=fsync'}{fsync} // 0, '>', 10, 'fsync: files are flushed one by one');
	is($calls{'--sync-method=fsync'}{syncfs}, undef, 'fsync: and no filesystem');
	cmp_ok($calls{'--sync-method=syncfs'}{syncfs} // 0, '>', 0, 'syncfs: filesystems are flushed');
	cmp_ok($calls{'--sync-method=syncfs'}{fsync}, '<', $calls{'--sync-method=fsync'}{fsync}, 'syncfs: and what they have is not');
	is(join(' ', sort keys %{ $calls{'--no-sync'} }), '', '-N: nothing is flushed');
}

my $output_of_run = failback_ok($old, $new, options => [ @all, '--sync-method=syncfs' ], start => 0, like => qr/servers diverged at/);
like($output_of_run, qr/^fetch: [\d.]+ [kM]B in /m, '--progress: it tells what has been fetched');
$old->start;
ok(wait_streaming($old, $new), 'streams');

# Once more, as a standby that has nothing to rewind.
$old->stop('fast');
my $before = fingerprint($dir);
($succeeded, $output) = run_tool(@source, @all, '-N');
ok($succeeded, 'again');
like($output, qr/no rewind required/, 'again: nothing to do');
is(join(' ', changed_files($before, fingerprint($dir))), '', 'again: standby.signal and all else is as it was');
# --- As repmgr calls it, and what it does around it: the target is a standby that has gone its own way ---
$old->start;
wait_streaming($old, $new);
promote($old);
$old->safe_psql('postgres', 'CREATE TABLE gone AS SELECT i, md5(i::text) AS t FROM generate_series(1, 60000) i');
$new->safe_psql('postgres', 'CREATE TABLE come AS SELECT i, md5(i::text) AS t FROM generate_series(1, 60000) i');
$old->stop('fast');
$old->append_conf('standby.signal', 'left by an earlier attempt');
my $conf = slurp_file("$dir/postgresql.conf");
keep_twin($old);
my ($bindir) = run_command([ 'pg_config', '--bindir' ]);
my $called = PostgreSQL::Test::Utils::tempdir . '/pg_rewind';
symlink "$bindir/pg_failback", $called or die "could not make a link: $!";

# (exit status, output)
sub repmgr
{
	my ($conninfo) = @_;
	unlink "$dir/standby.signal" or die "could not remove standby.signal: $!";
	my $said = '';
	IPC::Run::run([ $called, '-D', $dir, "--source-server=$conninfo" ], '<', \undef, '>', \$said, '2>&1');
	my $status = $? >> 8;
	note($said);
	# Anew, whether it has succeeded or not.
	append_to_file("$dir/standby.signal", "# created by repmgr\n");
	return ($status, $said);
}

# What the wrapper does in between counts as ours.
sub kept { my $seen = fingerprint($dir); delete $seen->{$_} for ('standby.signal', 'global/pg_control.old'); return $seen; }

$before = kept();
my ($status, $said) = repmgr('host=127.0.0.1 port=1 user=failback_user dbname=postgres');
is($status, 1, 'repmgr, the source cannot be reached: exit status');
like($said, qr/^pg_rewind: error: /m, 'repmgr: the message');
is(join(' ', changed_files($before, kept())), '', 'repmgr: nothing changed');

# --- As CloudNativePG does: the same command again after any failure, with a copy of pg_control kept beside it ---
# (exit status, output); the time limit is ours.
sub cloudnative
{
	my ($conninfo) = @_;
	my $control = "$dir/global/pg_control";
	die 'there is no pg_control' if !-s $control;
	copy($control, "$control.old") or die "could not copy pg_control: $!";
	my $said = '';
	IPC::Run::run([ $called, '-P', '--source-server', $conninfo, '--target-pgdata', $dir, '--restore-target-wal', '--timeout=10' ], '<', \undef, '>', \$said, '2>&1');
	my $status = $? >> 8;
	note($said);
	return ($status, $said);
}

my $relay = Relay->start($new, trouble => 'gone', trouble_after => 300_000);
($status, $said) = cloudnative($relay->conninfo);
$relay->stop;
is($status, 1, 'CloudNativePG, the source goes away in the middle: exit status');
is(join(' ', grep { !/^pg_failback\.staging|\/pg_failback\.staging/ } changed_files($before, kept())), '',
	'CloudNativePG: nothing changed but our staging');
($status, $said) = repmgr('host=127.0.0.1 port=1 user=failback_user dbname=postgres');
is($status, 1, 'and repmgr again: exit status');
($status, $said) = cloudnative(source_conninfo($new));
is($status, 0, 'CloudNativePG, once more: exit status') or diag($said);
like($said, qr/^pg_rewind: servers diverged at WAL location/m, 'CloudNativePG: it was brought back');
# Gone with all that the source does not have in that directory; the wrapper does not mind.
unlink "$dir/global/pg_control.old", "$dir/standby.signal";
rewind_twin($old, $new);
same_files_ok($old);
# As if it had been hidden before, and once more: there is nothing to do any more.
append_to_file("$dir/standby.signal", '');
($status, $said) = repmgr(source_conninfo($new));
is($status, 0, 'repmgr, the source is there again: exit status') or diag($said);
is(slurp_file("$dir/standby.signal"), "# created by repmgr\n", 'repmgr: standby.signal is its own');
is(join(' ', grep { /pg_failback/ && !m{^pg_failback\.record/} } files_below($dir)), '', 'nothing of ours is left');
# Wrappers bring the configuration back, as pg_rewind takes the source's.
unlink "$dir/postgresql.conf", "$dir/postgresql.auto.conf";
$old->append_conf('postgresql.conf', $conf);
$old->append_conf('postgresql.auto.conf', "primary_conninfo = '" . $new->connstr . "'");
$old->start;
ok(wait_streaming($old, $new), 'streams');
is($old->safe_psql('postgres', "SELECT to_regclass('gone') IS NULL, count(*) FROM come"), 't|60000', 'it has the rows of the new primary');
ends_equal($old, $new);

done_testing();
