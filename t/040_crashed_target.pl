# The old primary was killed in the middle of its work, with many dirty pages and perhaps half a record at
# the end of its WAL; somebody has put a standby.signal there already. No crash recovery is run: the end of
# its WAL is found by reading. Or it was killed just after its promotion, when its control file does not show
# that it has been through a checkpoint on its timeline. pg_rewind, which runs a single-user server, comes to the
# same on a copy without standby.signal. That recovery can recycle WAL that is needed is shown by t/072.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Kills the postmaster and waits until nothing of the server runs: backends notice it a little later.
sub kill_primary
{
	my ($node) = @_;
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my $socket = $node->host . '/.s.PGSQL.' . $node->port;
	my $children = slurp_file("/proc/$pid/task/$pid/children");
	$node->kill9;
	for my $process ($pid, split(' ', $children))
	{
		# Where nobody collects orphans a dead process stays as a zombie.
		wait_until("process $process has ended", sub {
			return 1 unless -e "/proc/$process/stat";
			open my $file, '<', "/proc/$process/stat" or return 1;
			return (<$file> // ') Z') =~ /\) [ZX]/;
		});
	}
	# A zombie's number would keep the next server from using the socket.
	unlink $socket, "$socket.lock";
	return;
}

plan skip_all => 'pg_rewind runs a single-user server, which refuses a standby.signal' if is_pg_rewind();

# Block => LSN, as a number, of the pages of table "test" that are dirty in the server's memory.
sub dirty_pages
{
	my ($node) = @_;
	return map { split /\|/ } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT b.relblocknumber, (page_header(get_raw_page('test', b.relblocknumber::int))).lsn - '0/0'::pg_lsn
  FROM pg_buffercache b
 WHERE b.isdirty AND b.relforknumber = 0 AND b.relfilenode = pg_relation_filenode('test')
   AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
SQL
}

# Of these pages, those that are older on disk, or not there at all.
sub older_on_disk
{
	my ($path, %lsn) = @_;
	open my $file, '<:raw', $path or die "could not open $path: $!";
	my @older;
	for my $block (keys %lsn)
	{
		seek $file, $block * 8192, 0;
		read $file, my $bytes, 8;
		my ($high, $low) = length($bytes) == 8 ? unpack("LL", $bytes) : (0, 0);
		push @older, $block if ($high << 32 | $low) < $lsn{$block};
	}
	return @older;
}

# Pages go to disk when their buffers are needed, and by checkpoints.
my $old = start_primary('old', conf => "shared_buffers = 32MB\nbgwriter_lru_maxpages = 0\n");
create_upsert_table($old);
$old->safe_psql('postgres', 'CREATE EXTENSION pg_buffercache; CREATE EXTENSION pageinspect');
upsert($old, 200);
my $new = add_standby('new', $old);
wait_streaming($new, $old);
promote($new);
upsert($new, 100);
my $path = $old->data_dir . '/' . $old->safe_psql('postgres', "SELECT pg_relation_filepath('test')");

# Far more transactions than will be done: the kill comes first.
my $work = upsert_start($old, 1_000_000);
$old->poll_query_until('postgres', 'SELECT xact_commit > 20000 FROM pg_stat_database WHERE datname = current_database()')
  or die 'the old primary does not get on with its work';
my %dirty = dirty_pages($old);
kill_primary($old);
IPC::Run::finish($work->{handle});
my $older = older_on_disk($path, %dirty);
cmp_ok($older, '>', 50, 'pages were dirty when it was killed: ' . keys(%dirty) . " seen, $older of them older on disk");
keep_twin($old);
$old->append_conf('standby.signal', '');
like(controldata($old, 'Database cluster state'), qr/in production/, 'the target was not shut down');

failback_ok($old, $new, twin => 1);
upsert($new, 50);
ends_equal($old, $new);
$new->stop('fast');

# Killed just after a promotion: its last completed checkpoint is of the timeline before.
{
	my $stays = start_primary('stays', conf => "bgwriter_lru_maxpages = 0\ncheckpoint_completion_target = 0.9\ncheckpoint_timeout = 1d\n"
		  . "max_wal_size = 10GB\nautovacuum = off\nshared_buffers = 256MB\n");
	create_upsert_table($stays);
	my $gone = add_standby('gone', $stays);
	# Many dirty pages: the checkpoint after the promotion is a long one.
	$stays->safe_psql('postgres', 'CREATE TABLE ballast AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 60000) i');
	wait_streaming($gone, $stays);
	promote($gone);
	upsert($_, 20) for ($gone, $stays);
	kill_primary($gone);
	is(controldata($gone, "Latest checkpoint's TimeLineID"), 1, 'killed after its promotion: the checkpoint is of the timeline before');
	failback_ok($gone, $stays, twin => 1, like => qr/servers diverged at WAL location [0-9A-F]+\/[0-9A-F]+ on timeline 1\b/);
	is($gone->safe_psql('postgres', 'SELECT count(*) FROM test'), $stays->safe_psql('postgres', 'SELECT count(*) FROM test'), 'its rows are gone');
	ends_equal($gone, $stays);
}

done_testing();
