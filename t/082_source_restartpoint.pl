# The source is a standby whose last restartpoint is older than the last common checkpoint: its files may lack what was
# replayed since, so that recovery has to begin there; and it ends no earlier than where the source itself is consistent. What
# the source receives from then on is kept by the slot, however late the standby comes.
# No twin by pg_rewind: pg_rewind 15 begins at the common checkpoint, too late for this source.
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
$new->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
wait_streaming($mirror, $new);
my $output = failback_ok($old, $mirror, standby_settings => '-R', start => 0, like => qr/servers diverged at/,
	options => [ '--slot=of_old', '--create-slot' ]);
my ($common) = $output =~ /rewinding from last common checkpoint at (\S+)/;
cmp_ok(lsn_value($restartpoint), '<', lsn_value($common), "the mirror's restartpoint is older than the common checkpoint");
my ($start) = slurp_file($old->data_dir . '/backup_label') =~ /^START WAL LOCATION: (\S+)/m;
# 19 writes leading zeros.
is(lsn_value($start), lsn_value($restartpoint), 'recovery begins at the restartpoint');
cmp_ok(lsn_value(controldata($old, 'Minimum recovery ending location')), '>=',
	lsn_value(controldata($mirror, 'Minimum recovery ending location')), 'and ends where the mirror is consistent');

# Long before the standby comes, the source lets go of all that it may.
$mirror->append_conf('postgresql.conf', "wal_keep_size = 0\nmin_wal_size = 32MB\nwal_recycle = off");
$mirror->reload;
# A segment's name without its timeline; only a primary tells it.
sub segment { my ($lsn) = @_; return $new->safe_psql('postgres', "SELECT substr(pg_walfile_name('$lsn'::pg_lsn + 1), 9)"); }
sub slot_segment { return segment($mirror->safe_psql('postgres', "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'of_old'")); }
sub oldest_segment { return $mirror->safe_psql('postgres', "SELECT min(substr(name, 9)) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}\$'"); }
sub recycle
{
	upsert($new, 10);
	$new->safe_psql('postgres', $_) for ('SELECT pg_switch_wal()', 'CHECKPOINT');
	wait_streaming($mirror, $new);
	$mirror->safe_psql('postgres', 'CHECKPOINT');
	return;
}
my $kept = slot_segment();
recycle() for (1 .. 6);
is(oldest_segment(), $kept, 'the source keeps what the slot keeps, and no more');
$old->start;
ok(wait_streaming($old, $mirror), 'streams');
is($mirror->safe_psql('postgres', "SELECT active FROM pg_replication_slots WHERE slot_name = 'of_old'"), 't', 'through the slot');
wait_until('the slot has moved', sub { slot_segment() gt $kept });
recycle();
cmp_ok(oldest_segment(), 'gt', $kept, 'which then lets it go');
upsert($new, 20);
ends_equal($old, $mirror, writer => $new);

done_testing();
