# Comparing contents with all that can be in the way: pages that have rotted, tablespaces, a source that is written to all
# the time, a standby as source.
# No twin by pg_rewind: pg_rewind keeps pages that have rotted; comparing beside it is in t/042 and t/086.
use strict;
use warnings;
use FailbackTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind knows no comparing' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir();
mkdir "$place/old";
my $old = start_primary('old');
$old->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$place/old'");
$old->safe_psql('postgres', "CREATE TABLE $_ AS SELECT i, md5(i::text) AS t FROM generate_series(1, 30000) i; CREATE INDEX ON $_ (i)")
  for ('quiet', 'busy');
$old->safe_psql('postgres', 'ALTER TABLE busy SET TABLESPACE elsewhere; VACUUM FREEZE');
run_log([ 'pgbench', '-i', '-q', '-s', 3, '--tablespace=elsewhere', '-d', $old->connstr('postgres') ]);
my $new = add_standby('new', $old, options => [ '-T', "$place/old=$place/new" ]);
my $mirror = add_standby('mirror', $new, options => [ '-T', "$place/new=$place/mirror" ]);
promote($new);
my $load = pgbench_start($new, '-c', 4, '-T', 600);
$old->safe_psql('postgres', "UPDATE busy SET t = 'old' WHERE i % 100 = 0; CREATE TABLE lost TABLESPACE elsewhere AS SELECT * FROM busy");
my $quiet = $old->safe_psql('postgres', "SELECT pg_relation_filepath('quiet')");
$old->stop('fast');

# Bits rot, in pages that no WAL names.
open my $file, '+<:raw', $old->data_dir . "/$quiet" or die $!;
for my $block (7, 70, 170)
{
	seek $file, $block * 8192 + 5000, 0;
	print $file 'rot';
}
close $file;

# By WAL they stay, as nothing speaks of them; page checksums do.
my $copy = PostgreSQL::Test::Utils::tempdir_short() . '/copy';
system_or_bail('cp', '-a', $old->data_dir, $copy);
system_or_bail('cp', '-a', "$place/old", "$place/copy");
for my $link (glob "$copy/pg_tblspc/*")
{
	unlink $link;
	symlink "$place/copy", $link or die "symlink: $!";
}
my @source = ('--source-server=' . source_conninfo($new));
my ($succeeded, $output) = run_tool('-D', $copy, @source, '--mode=wal');
ok($succeeded, 'by WAL') or diag($output);
my $still = (run_command([ tool(), 'diff', '-D', $copy, @source ]))[0];
like($still, qr/^differs +\Q$quiet\E: 3 of \d+ blocks/m, 'diff finds the rotten pages that going by WAL has left');

# Whether the load was there all the time.
my $served = 0;
sub under_load_ok
{
	my ($what) = @_;
	my $before = $served;
	$served = $new->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
	ok($load->{handle}->pumpable, "$what: the load is there") or diag($load->{output});
	cmp_ok($served, '>', $before, "$what: and is served");
	return;
}

sub end_load
{
	$load->{handle}->signal('INT');
	IPC::Run::finish($load->{handle});
	$served = $new->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
	return;
}

# The primary under load, slowly and then as it comes.
under_load_ok('before');
my $report = PostgreSQL::Test::Utils::tempdir() . '/report';
$new->safe_psql('postgres', "ALTER ROLE failback_user SET log_statement = 'all'");
$output = failback_ok($old, $new, compares => 1, options => [ '--mode=compare', '-P', '--max-rate-read=30M', "--report=$report" ]);
$new->safe_psql('postgres', 'ALTER ROLE failback_user RESET log_statement');
like($output, qr/^compare: [\d.]+ MB in [\d.]+ s \([\d.]+ [kM]B\/s\)$/m, '-P tells what was compared');
my %compared_by = map { $_ => 1 } slurp_file($new->logfile) =~ /\[(\d+)\] .*block_checksums/g;
cmp_ok(scalar(keys %compared_by), '>', 1, 'several connections compare');
my $facts = decode_json(slurp_file($report));
my $slowest = $facts->{bytes}{compared} / 30 / 1024 / 1024;
cmp_ok($facts->{seconds}{compare}, '>=', 0.9 * $slowest, '--max-rate-read is kept');
cmp_ok($facts->{bytes}{compared}, '>', 40_000_000, 'everything was compared');
under_load_ok('after comparing');
is($old->safe_psql('postgres', "SELECT count(*), to_regclass('lost') FROM quiet"), '30000|', 'the rotten table can be read');
end_load();
ends_equal($old, $new);

# A standby of it, which replays all that load.
$load = pgbench_start($new, '-c', 4, '-T', 600);
wait_until('there is load again', sub { return $new->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history') > $served; });
wait_streaming($mirror, $new); # not behind the target
failback_ok($old, $mirror, compares => 1, options => ['--mode=compare']);
under_load_ok('after comparing with a standby');
is(readlink((glob $old->data_dir . '/pg_tblspc/*')[0]), "$place/old", 'the tablespace is where it was');
end_load();
wait_streaming($mirror, $new);
ends_equal($old, $mirror, writer => $new);

done_testing();
