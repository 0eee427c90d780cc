# The new primary is spared: a standby of it is the source.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
upsert($old, 50);
wait_streaming($new, $old);
promote($new);
upsert($_, 100) for ($old, $new);
$new->safe_psql('postgres', 'CHECKPOINT') if is_pg_rewind();
wait_streaming($mirror, $new);
$mirror->safe_psql('postgres', 'CHECKPOINT') if is_pg_rewind();

failback_ok($old, $mirror, twin => 1, primary => $new);
upsert($new, 50);
ends_equal($old, $mirror, writer => $new);

done_testing();
