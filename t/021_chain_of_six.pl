# A primary and five standbys, each fed by the one before. The first standby is promoted; the old primary
# comes back as its standby, receives new rows, and so does the far end of the chain.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
upsert($old, 100);
my @standbys;
push @standbys, add_standby("standby$_", $_ == 1 ? $old : $standbys[-1]) for 1 .. 5;
my $new = $standbys[0];
upsert($old, 100);
wait_streaming($standbys[0], $old);
promote($new);
upsert($_, 100) for ($old, $new);

failback_ok($old, $new, standby_settings => '-R', twin => 1);
upsert($new, 100);
my $upstream = $new;
for my $standby (@standbys[ 1 .. 4 ])
{
	ok(wait_streaming($standby, $upstream), $standby->name . ' follows');
	$upstream = $standby;
}
same_rows($standbys[4], $new);
ends_equal($old, $new);

done_testing();
