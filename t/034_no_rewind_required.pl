# A plain ancestor, after a clean switchover, needs no rewind; -R still makes it a standby.
use strict;
use warnings;
use FailbackTest;
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

failback_ok($old, $new, standby_settings => '-R', no_rewind => 1);
ends_equal($old, $new);

done_testing();
