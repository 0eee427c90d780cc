# --source-pgdata: the source is the data directory of a server that was stopped, a primary's or a standby's. It is
# read only. pg_rewind comes to the same end on a copy of the target.
use strict;
use warnings;
use FailbackTest;
use File::Path qw(mkpath);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

# A stopped server's twin, with a port of its own.
sub copy_of
{
	my ($name, $original) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	mkpath($node->basedir);
	PostgreSQL::Test::RecursiveCopy::copypath($original->data_dir, $node->data_dir);
	chmod 0700, $node->data_dir;
	mkdir $_ for ($node->backup_dir, $node->archive_dir);
	return $node;
}

# Starts what a failback has made, as a standby of the running source.
sub follow
{
	my ($node, $source) = @_;

	# pg_rewind has brought the source's configuration.
	$node->append_conf('postgresql.conf',
		    'port = ' . $node->port
		  . "\nunix_socket_directories = '" . $node->host . "'\n"
		  . "primary_conninfo = '" . $source->connstr . "'\n");
	$node->append_conf('standby.signal', '');
	$node->start(fail_ok => 1) or die $node->name . ' does not start as a standby';
	ok(wait_streaming($node, $source), $node->name . ' streams from ' . $source->name)
	  or die 'nothing after this makes sense; see ' . $node->logfile;
	return;
}

sub local_failback_ok
{
	my ($target, $source, @options) = @_;
	my $own_conf = slurp_file($target->data_dir . '/postgresql.conf');
	my $before = fingerprint($source->data_dir);
	my ($succeeded, $output) =
	  run_tool('-D', $target->data_dir, '--source-pgdata', $source->data_dir, @options);
	ok($succeeded, $target->name . ' from the directory of ' . $source->name) or diag($output);
	like($output, qr/servers diverged at WAL location [0-9A-F]+\/[0-9A-F]+ on timeline 1\b/, 'its messages');
	is(join(' ', changed_files($before, fingerprint($source->data_dir))), '', 'the source is as it was');
	is(slurp_file($target->data_dir . '/postgresql.conf'), $own_conf, 'postgresql.conf is still the target\'s own')
	  unless is_pg_rewind();
	return;
}

# No extension is needed: nothing is asked of a server.
my $old = start_primary('old', extension => 0);
create_upsert_table($old);
$old->safe_psql('postgres', 'CREATE TABLE gone AS SELECT i FROM generate_series(1, 10000) i');
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
upsert($old, 100);
$old->safe_psql('postgres', 'CHECKPOINT');
wait_streaming($new, $old);
promote($new);
for my $node ($old, $new)
{
	upsert($node, 100);
	$node->safe_psql('postgres', 'CREATE TABLE of_' . $node->name . ' AS SELECT i FROM generate_series(1, 5000) i');
}
$new->safe_psql('postgres', 'DROP TABLE gone; CREATE DATABASE later');
wait_streaming($mirror, $new);
$old->stop('fast');
my $again = copy_of('again', $old);
my $twin = copy_of('twin', $old);
my $intact = copy_of('intact', $old);

# Refused, and nothing changed.
refused_ok('a running source', $intact->data_dir,
	is_pg_rewind() ? qr/source data directory must be shut down cleanly/ : qr/source server must be shut down: server with process ID \d+/,
	'-D', $intact->data_dir, '--source-pgdata', $new->data_dir);
$mirror->stop('immediate');
refused_ok('a source that crashed', $intact->data_dir, qr/source data directory must be shut down cleanly/,
	'-D', $intact->data_dir, '--source-pgdata', $mirror->data_dir);
refused_ok('the target itself', $intact->data_dir, qr/source and target are the same directory/,
	'-D', $intact->data_dir, '--source-pgdata', $intact->data_dir)
  unless is_pg_rewind();
$mirror->start;
wait_streaming($mirror, $new);

# A primary stops after its standbys have got everything: what it writes at the end, they have too.
$new->stop('fast');
$mirror->stop('fast');

# Logs are each server's own, wherever it has them.
$new->append_conf('postgresql.conf', "log_directory = 'logs_of_new'");
mkdir $new->data_dir . '/logs_of_new';
append_to_file($new->data_dir . '/logs_of_new/today', "said\n");

my ($succeeded, $output) =
  run_tool('-D', $intact->data_dir, '--source-pgdata', $new->data_dir, '--dry-run');
ok($succeeded, 'dry run') or diag($output);
local_failback_ok($old, $new);
ok(!-e $old->data_dir . '/logs_of_new/today', "the source's log stays there") unless is_pg_rewind();
# pg_rewind 15 knows a stopped standby as source too.
local_failback_ok($again, $mirror);
command_ok([ 'pg_rewind', '-D', $twin->data_dir, '--source-pgdata', $new->data_dir ], 'pg_rewind does the same');

$new->start;
upsert($new, 50);
follow($_, $new) for ($old, $again, $twin);
is($old->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname IN ('gone', 'of_old')"), '0',
	'what only the old primary had is gone');
ends_equal($again, $new);
adopt_twin($old, $twin) unless is_pg_rewind();
ends_equal($old, $new);
$new->stop('fast');

# pg_wal and a tablespace elsewhere, each server in places of its own.
{
	my $place = PostgreSQL::Test::Utils::tempdir;
	mkdir "$place/old";
	my $old = start_primary('old_linked', extension => 0, initdb => [ '-X', "$place/old_wal" ]);
	$old->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$place/old'");
	$old->safe_psql('postgres', 'CREATE TABLE spaced TABLESPACE space AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i');
	my $new = add_standby('new_linked', $old, options => [ '--waldir', "$place/new_wal", '-T', "$place/old=$place/new" ]);
	promote($new);
	for my $node ($old, $new)
	{
		my $name = $node->name;
		$node->safe_psql('postgres', "UPDATE spaced SET t = '$name' WHERE i % 7 = 0;"
			  . "CREATE TABLE of_$name TABLESPACE space AS SELECT i, md5(i::text) AS t FROM generate_series(1, 5000) i");
	}
	$old->stop('fast');
	keep_twin($old);
	$new->stop('fast');
	if (!is_pg_rewind())
	{
		# Whatever kind of file: in blocks, or whole.
		my @files = map { $new->data_dir . "/$_" } ('base/1/1259', 'pg_xact/0000');
		chmod 0, @files or die "chmod: $!";
		my $all = join '.*', map { qr/could not open file "\Q$_\E": Permission denied/ } @files;
		refused_ok("unreadable files of the source @$_", $old->data_dir, qr/error: the source has files that cannot be read.*$all/s,
			'-D', $old->data_dir, '--source-pgdata', $new->data_dir, @$_)
		  for (['-n'], []);
		chmod 0600, @files;
	}
	local_failback_ok($old, $new);
	is(readlink($old->data_dir . '/pg_wal'), "$place/old_wal", 'pg_wal still leads where it led');
	is(join(' ', map { readlink } glob $old->data_dir . '/pg_tblspc/*'), "$place/old", 'so does the tablespace');
	$new->start;
	rewind_twin($old, $new) unless is_pg_rewind();
	follow($old, $new);
	ends_equal($old, $new);
}

done_testing();
