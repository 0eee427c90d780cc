# Where going by WAL would move much more than what differs, contents are compared; --explain-mode shows the estimate.
use strict;
use warnings;
use FailbackTest;
use Test::More;

plan skip_all => 'pg_rewind has no choice' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');

my ($succeeded, $output) = failback($old, $new, '-n', '--explain-mode');
like($output, qr/going by WAL moves \d+ MB, \d+ MB of it WAL that is replayed$/m, 'what going by WAL moves');
like($output, qr/comparing contents moves at most about \d+ MB and reads \d+ MB on both sides \(\d+ of \d+ sampled/, 'what comparing moves');
like($output, qr/info: going by WAL$|: going by WAL$/m, 'little WAL: by WAL');
unlike((failback($old, $new, '-n'))[1], qr/sampled/, 'nothing of this if not asked for');

# Hundreds of megabytes of WAL that hardly changes anything.
$new->safe_psql('postgres', "SELECT upsert($_); SELECT pg_switch_wal()") for (1 .. 24);
$new->safe_psql('postgres', 'CHECKPOINT'); # the promotion's may come later than that
my $checkpoint = 'SELECT redo_lsn FROM pg_control_checkpoint()';
my $before = $new->safe_psql('postgres', $checkpoint);
($succeeded, $output) = failback($old, $new, '-n');
like($output, qr/going by WAL moves [34]\d\d MB.*comparing contents moves at most.*comparing contents, because it moves less/s,
	'much WAL: by contents, and it says why');
is($new->safe_psql('postgres', $checkpoint), $before, 'a dry run makes the source do no checkpoint');
unlike((failback($old, $new, '-n', '--mode=wal'))[1], qr/comparing contents/, '--mode=wal is obeyed');
failback_ok($old, $new, compares => 1, twin => 1, like => qr/comparing contents, because it moves less/);
ends_equal($old, $new);

done_testing();
