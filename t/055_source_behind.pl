# The source is a standby that nobody has promoted: what it has not replayed or not received is no divergence, and what only
# the target has is not given up for it.
# No twin by pg_rewind: pg_rewind goes by the numbers, and would say that no rewind is required.
use strict;
use warnings;
use FailbackTest;
use Test::More;

plan skip_all => 'pg_rewind goes by the numbers' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
wait_streaming($new, $old);
my @source = ('--source-server=' . source_conninfo($new));

# Received, but not replayed: the target may follow as it is.
$new->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$new->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'");
upsert($old, 20);
$old->stop('fast'); # sends all that there is
my ($succeeded, $output) = run_tool('-D', $old->data_dir, @source, '-n');
ok($succeeded, 'a source that has received all, but not replayed it') or diag($output);
like($output, qr/no rewind required/, 'no rewind is required');

# Not received.
$new->safe_psql('postgres', "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()");
$new->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_wal_receiver');
$old->start;
$old->safe_psql('postgres', 'CREATE TABLE only_here AS SELECT 1 AS one');
upsert($old, 20);
$old->safe_psql('postgres', 'SELECT pg_switch_wal()'); # the source has no file of the next segment
upsert($old, 5);
$old->stop('fast');
refused_ok('a source that is behind', $old->data_dir, qr/the source is a standby that is behind the target.*promote it/s,
	'-D', $old->data_dir, @source);
$new->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
refused_ok('one that has replayed what it has', $old->data_dir, qr/the source is a standby that is behind the target.*promote it/s,
	'-D', $old->data_dir, @source);

# Where WAL is not looked at, or does not tell: what only the target has would be lost by comparing too.
refused_ok('--mode=compare', $old->data_dir, qr/the source is a standby that is behind the target.*promote it/s,
	'-D', $old->data_dir, @source, '--mode=compare');
refused_ok('--mode=compare, -n', $old->data_dir, qr/the source is a standby that is behind the target.*promote it/s,
	'-D', $old->data_dir, @source, '--mode=compare', '-n');
my $lost = $old->data_dir . '/pg_wal/' . controldata($old, "Latest checkpoint's REDO WAL file");
rename $lost, "$lost.aside" or die "rename: $!";
refused_ok('without its last WAL', $old->data_dir, qr/comparing contents, because .*the source is a standby that is behind the target.*promote it/s,
	'-D', $old->data_dir, @source);
rename "$lost.aside", $lost or die "rename: $!";

# Promoted, it is what counts.
promote($new);
upsert($new, 20);
failback_ok($old, $new);
is($old->safe_psql('postgres', "SELECT to_regclass('only_here') IS NULL"), 't', 'what only the target had is gone');
ends_equal($old, $new);

done_testing();
