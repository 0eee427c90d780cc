# File systems that somebody has mounted inside of the target. A directory stays, a file that would have to be removed or
# replaced is told before anything is changed, and what lies on a mount of its own is written in place.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind looks at no mounts' if is_pg_rewind();

my ($user, $group) = ($>, $) + 0);
my $again = "unshare --user --map-user=$user --map-group=$group";

# Runs the tool where these shell commands have mounted something, as root of a user namespace: for it alone.
sub run_mounted
{
	my ($mounts, @arguments) = @_;
	my $output = '';
	note("$mounts: @arguments");
	my $succeeded = IPC::Run::run([ 'unshare', '--map-root-user', '--mount', 'sh', '-c', "$mounts && exec $again \"\$@\"", 'sh', @arguments ],
		'<', \undef, '>', \$output, '2>&1');
	note($output);
	return ($succeeded, $output);
}

my ($may, $why) = run_mounted('mount -t tmpfs none /mnt', 'true');
needed_or_skip($may, 'namespaces', "a user namespace with mounts of its own ($why)");

split_brain();
my $dir = $old->data_dir;
run_tool(failback_arguments());
remember_finished();

# --- A directory that only the target has ---
for my $mode ('wal', 'compare')
{
	my $what = "a mounted directory, --mode=$mode";
	restore_target();
	mkdir "$dir/archive";
	my ($succeeded, $output) = run_mounted("mount -t tmpfs none $dir/archive && echo x >$dir/archive/segment",
		tool(), failback_arguments('--config-files=source', "--mode=$mode"));
	ok($succeeded, "$what: completed") or diag($output);
	ok(-d "$dir/archive", "$what: it stays");
	ok(-e "$dir/global/pg_control" && !-e "$dir/pg_failback.staging", "$what: nothing is left to be done");
}
$old->append_conf('postgresql.conf', 'port = ' . $old->port . "\nunix_socket_directories = '" . $old->host . "'");
rmdir "$dir/archive";
starts_as_standby_ok('beside a mounted directory');

# --- Files ---
my $place = PostgreSQL::Test::Utils::tempdir;
append_to_file("$place/file", '');
for (['removed', 'mine.conf', '--config-files=source'], [ 'replaced', 'postgresql.auto.conf' ])
{
	my ($what, $file, @options) = @$_;
	$what = "a mounted file that would have to be $what";
	restore_target();
	append_to_file("$dir/$file", '');
	my $before = fingerprint($dir);
	my ($succeeded, $output) = run_mounted("mount --bind $place/file $dir/$file", tool(), failback_arguments(@options));
	ok(!$succeeded, "$what: refused");
	like($output, qr/"\S*\Q$file\E" is a mount point/, "$what: it is named");
	is(join(' ', changed_files($before, fingerprint($dir))), '', "$what: nothing changed");
}

# --- The databases on a mount of their own ---
for my $mode ('wal', 'compare')
{
	my $what = "base is a mount, --mode=$mode";
	restore_target();
	my ($succeeded, $output) = run_mounted("mount --bind $dir/base $dir/base", tool(), failback_arguments("--mode=$mode"));
	ok($succeeded, "$what: completed") or diag($output);
	# The end of WAL and the beginning of replay are others when contents are compared.
	is_finished_ok($what) if $mode eq 'wal';
}
starts_as_standby_ok('base was a mount');

done_testing();
