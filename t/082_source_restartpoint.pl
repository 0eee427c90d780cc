# The source is a standby whose last restartpoint is older than the last common checkpoint: its files may lack what was
# replayed since, so that recovery has to begin there; and it ends no earlier than where the source itself is consistent.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind 15 begins at the common checkpoint' if is_pg_rewind();

# "0/1234" as a number
sub lsn_value { my ($high, $low) = split '/', $_[0]; return hex($high) * 2**32 + hex($low); }

my $old = start_primary('old', conf => "autovacuum = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
upsert($old, 20);
# Replayed by the mirror, but it makes no restartpoint of it by itself within the hour.
$old->safe_psql('postgres', 'CHECKPOINT');
upsert($old, 20);
wait_streaming($new, $old);
wait_streaming($mirror, $new);
promote($new);
upsert($_, 50) for ($old, $new);
$new->safe_psql('postgres', 'CHECKPOINT');
wait_streaming($mirror, $new);
my $restartpoint = controldata($mirror, "Latest checkpoint's REDO location");
my $output = failback_ok($old, $mirror, start => 0, like => qr/servers diverged at/);
my ($common) = $output =~ /rewinding from last common checkpoint at (\S+)/;
cmp_ok(lsn_value($restartpoint), '<', lsn_value($common), "the mirror's restartpoint is older than the common checkpoint");
my ($start) = slurp_file($old->data_dir . '/backup_label') =~ /^START WAL LOCATION: (\S+)/m;
# 19 writes leading zeros.
is(lsn_value($start), lsn_value($restartpoint), 'recovery begins at the restartpoint');
cmp_ok(lsn_value(controldata($old, 'Minimum recovery ending location')), '>=',
	lsn_value(controldata($mirror, 'Minimum recovery ending location')), 'and ends where the mirror is consistent');
$old->start;
ok(wait_streaming($old, $mirror), 'streams');
upsert($new, 20);
ends_equal($old, $mirror, writer => $new);

done_testing();
