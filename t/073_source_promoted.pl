# The source is a standby, and is promoted while it is being copied: that run ends with an error and leaves the target as it
# was; the next one finds a new primary.
# pg_rewind, which does not notice a promotion while it copies, comes to the same after it.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind cannot be slowed down' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
promote($new);
upsert($_, 20) for ($old, $new);
$new->safe_psql('postgres',
	"CREATE TABLE large AS SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 50) j) AS t FROM generate_series(1, 5000) i");
wait_streaming($mirror, $new);
$mirror->safe_psql('postgres', 'CHECKPOINT');
$old->stop('fast');

my $before = fingerprint($old->data_dir);
my $output = '';
# So slow that the promotion is done before it; held it cannot be, as 19 waits for sessions that are stuck in sending.
my $run = failback_slowly($old, $mirror, \$output, '--max-rate=600k');
promote($mirror);
ok($run->pumpable, 'it was promoted while the tool was at work');
ok(!IPC::Run::finish($run), 'the run fails');
is($run->result, 1, 'with exit status 1');
note($output);
like($output, qr/source was promoted or restarted.*Run the command again/s, 'it says why, and what to do');
is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'the target is unchanged');

failback_ok($old, $mirror, twin => 1);
upsert($mirror, 20);
ends_equal($old, $mirror);

done_testing();
