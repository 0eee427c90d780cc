# The old primary was killed in the middle of its work, with many dirty pages and perhaps half a record at
# the end of its WAL; somebody has put a standby.signal there already. No crash recovery is run: the end of
# its WAL is found by reading.
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

my $old = start_primary('old', conf => "shared_buffers = 32MB\n");
create_upsert_table($old);
upsert($old, 200);
my $new = add_standby('new', $old);
wait_streaming($new, $old);
promote($new);
upsert($new, 100);

# Far more transactions than will be done: the kill comes first.
my $work = upsert_start($old, 1_000_000);
$old->poll_query_until('postgres', 'SELECT xact_commit > 20000 FROM pg_stat_database WHERE datname = current_database()')
  or die 'the old primary does not get on with its work';
kill_primary($old);
IPC::Run::finish($work->{handle});
$old->append_conf('standby.signal', '');
like(controldata($old, 'Database cluster state'), qr/in production/, 'the target was not shut down');

failback_ok($old, $new);
upsert($new, 50);
ends_equal($old, $new);

done_testing();
