# Eleven timeline switches before the one that matters: earlier tools could not find the common ancestor.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
for my $switch (1 .. 11)
{
	$old->safe_psql('postgres', "SELECT upsert(i) FROM generate_series($switch * 100, $switch * 100 + 50) i");
	$old->stop('fast');
	$old->append_conf('standby.signal', '');
	$old->start;
	promote($old);
}
is(timeline_of($old), 12, 'eleven switches have happened');
my $new = add_standby('new', $old);
upsert($old, 50);
wait_streaming($new, $old);
promote($new);
is(timeline_of($new), 13, 'and one more on the new primary');
upsert($_, 50) for ($old, $new);

failback_ok($old, $new, twin => 1, like => qr/servers diverged at WAL location [0-9A-F]+\/[0-9A-F]+ on timeline 12\b/);
ends_equal($old, $new);

done_testing();
