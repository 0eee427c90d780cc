# The target was a standby itself. In one chain two standbys are promoted apart from each other: both reach
# the same timeline number with different histories, and equal numbers must not be taken for equal WAL.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
my $first = add_standby('first', $old);
my $second = add_standby('second', $old);
my $third = add_standby('third', $first);
upsert($old, 50);
wait_streaming($_, $old) for ($first, $second);
wait_streaming($third, $first);
promote($first);
promote($second);
upsert($_, 50) for ($first, $second);
is(timeline_of($_), 2, $_->name . ' is on timeline 2') for ($first, $second);
$_->safe_psql('postgres', 'CHECKPOINT') for ($first, $second);

# A running standby of the one that comes back would follow it onto the other history.
$third->stop('fast');

# WAL tells where they part, but not all that a server has changed that was promoted after the last common checkpoint.
my $promoted = qr/comparing contents, because the target was promoted after the last common checkpoint/;

# A primary of the same timeline number.
SKIP:
{
	skip 'pg_rewind 15 declares that no rewind is required', 7 if is_pg_rewind();
	failback_ok($first, $second, compares => 1, like => qr/servers diverged at .*$promoted/s);
	ends_equal($first, $second);
}

# A standby that followed the one that lost, on that same number.
SKIP:
{
	skip 'pg_rewind 15 declares that no rewind is required', 7 if is_pg_rewind();
	failback_ok($third, $second, like => qr/comparing contents, because the target was a standby/);
	ends_equal($third, $second);
}

# A target on a higher timeline than the source.
$old->safe_psql('postgres', "SELECT upsert(i) FROM generate_series(1, 500) i");
failback_ok($second, $old, twin => 1, compares => 1, like => qr/servers diverged at .*$promoted/s);
ends_equal($second, $old);

done_testing();
