# The new primary has been promoted but has not finished a checkpoint since: its control file still shows
# the old timeline. Tools that believe it say "no rewind required" and leave a broken standby.
use strict;
use warnings;
use FailbackTest;
use Test::More;

# Nothing but a checkpoint writes pages, and it takes its time.
my $slow = "bgwriter_lru_maxpages = 0\ncheckpoint_completion_target = 0.9\ncheckpoint_timeout = 1d\n"
  . "max_wal_size = 10GB\nautovacuum = off\nshared_buffers = 256MB\n"
  # With archiving on, a promotion renames the old timeline's last segment to .partial.
  . "archive_mode = on\narchive_command = 'true'\n";
my $old = start_primary('old', conf => $slow);
create_upsert_table($old);
my $new = add_standby('new', $old);
# Many dirty pages on the standby: the checkpoint after the promotion is a long one.
$old->safe_psql('postgres',
	'CREATE TABLE ballast AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 60000) i');
wait_streaming($new, $old);
promote($new);
$old->safe_psql('postgres', "INSERT INTO test SELECT i, 'old', now() FROM generate_series(1, 2000) i");
$new->safe_psql('postgres', "INSERT INTO test SELECT i, 'new', now() FROM generate_series(1, 2000) i");

is(timeline_of($new), 2, 'the new primary is on its own timeline');
is(controldata($new, "Latest checkpoint's TimeLineID"), 1, 'its control file does not know it yet');
my $output = failback_ok($old, $new, unprepared => 1, twin => 1);
unlike($output // '', qr/no rewind required/, 'the divergence was seen');
like($output // '', qr/rewinding from last common checkpoint/, 'in the WAL');
ends_equal($old, $new);

done_testing();
