# -n finds out everything and changes nothing; the old primary starts again as if nothing had happened.
# No twin by pg_rewind: nothing comes of a dry run that could be compared.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old');
create_upsert_table($old);
upsert($old, 50);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 50) for ($old, $new);
my $rows = $old->safe_psql('postgres', 'SELECT count(*), sum(hashtext(t::text)::bigint) FROM test t');
$old->stop('fast');
$new->safe_psql('postgres', 'CHECKPOINT') if is_pg_rewind();

my $before = fingerprint($old->data_dir);
my ($succeeded, $output) = failback($old, $new, '-n', '-P', '-R');
ok($succeeded, 'dry run succeeds');
like($output, qr/servers diverged at WAL location [0-9A-F]+\/[0-9A-F]+ on timeline 1\b/, 'it says where');
like($output, qr/rewinding from last common checkpoint at [0-9A-F]+\/[0-9A-F]+ on timeline 1\b/, 'and from where');
is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'nothing changed');
$old->start;
is($old->safe_psql('postgres', 'SELECT count(*), sum(hashtext(t::text)::bigint) FROM test t'),
	$rows, 'the old primary has its rows');

failback_ok($old, $new, like => qr/Done!/);
ends_equal($old, $new);

done_testing();
