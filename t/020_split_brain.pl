# The split brain of the literature: upserts by 16 clients on the primary, then, after the standby has been
# promoted, on both servers at once. The old primary comes back as a standby of the new one.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 500);

wait_streaming($new, $old);
promote($new);
my @both = map { upsert_start($_, 500) } ($old, $new);
pgbench_finish($_) for @both;

my $lost = $old->safe_psql('postgres', 'SELECT sum(hashtext(t::text)::bigint) FROM test t');
isnt($lost, $new->safe_psql('postgres', 'SELECT sum(hashtext(t::text)::bigint) FROM test t'),
	'the servers differ before the failback');
failback_ok($old, $new, standby_settings => '-R', twin => 1, like => qr/rewinding from last common checkpoint at/);
upsert($new, 100);
ends_equal($old, $new);

done_testing();
