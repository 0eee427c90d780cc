# A plain ancestor, after a clean switchover, needs no rewind; -R still makes it a standby. What it has of a history that is
# not the source's goes: recovery would follow it.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
$old->stop('fast');
promote($new);
upsert($new, 20);
$new->safe_psql('postgres', 'CHECKPOINT');

my $before = fingerprint($old->data_dir);
my ($succeeded, $output) = failback($old, $new);
ok($succeeded, 'succeeds');
like($output, qr/no rewind required/, 'says so');
is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'nothing changed');

# Left from a server that it followed once. Timeline 2 of the source is another, and it has no 3.
my $wal = $old->data_dir . '/pg_wal';
my $later = last_wal_file($new) =~ s/^00000002/00000003/r;
append_to_file("$wal/00000002.history", "1\t0/1800000\tno recovery target specified\n");
append_to_file("$wal/00000003.history", "1\t0/1800000\tfirst\n2\t0/1900000\tsecond\n");
append_to_file("$wal/archive_status/00000003.history.done", '');
append_to_file("$wal/$later", "\0" x (16 * 1024 * 1024));
$before = fingerprint($old->data_dir);
($succeeded, $output) = failback($old, $new, '-n');
like($output, qr/would remove "pg_wal\/00000003\.history"/, '-n says what is foreign');
is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'and removes nothing');

failback_ok($old, $new, standby_settings => '-R', no_rewind => 1, like => qr/removing "pg_wal\/$later"/);
ok(!-e "$wal/00000003.history" && !-e "$wal/archive_status/00000003.history.done", 'its foreign history is gone');
is(slurp_file("$wal/00000002.history"), slurp_file($new->data_dir . '/pg_wal/00000002.history'), "the source's has come");
ends_equal($old, $new);

done_testing();
