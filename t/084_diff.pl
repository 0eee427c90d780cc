# pg_failback diff: tells what differs, by file, block and relation, and changes nothing.
# No twin by pg_rewind: pg_rewind has no diff, and nothing is changed.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind has no diff' if is_pg_rewind();

my $old = start_primary('old', checksums => 0, conf => "autovacuum = off\nbgwriter_lru_maxpages = 0\n");
$old->safe_psql('postgres', <<'SQL');
CREATE TABLE same AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i;
CREATE TABLE other AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i;
CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS one;
CREATE DATABASE closed;
SQL
$old->safe_psql('closed', 'CREATE TABLE secret AS SELECT i FROM generate_series(1, 1000) i');
$old->safe_psql('postgres', 'VACUUM FREEZE; REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
$old->safe_psql($_, 'VACUUM FREEZE') for ('closed', 'template1');
my $new = add_standby('new', $old);
my %file = map { $_ => $old->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } ('same', 'other');
my $secret = $old->safe_psql('closed', "SELECT pg_relation_filepath('secret')");

# What it prints to stdout, what to stderr, its report, its exit status; the target must stay as it is.
sub diff
{
	my (@options) = @_;
	my ($output, $errors) = ('', '');
	my $report = PostgreSQL::Test::Utils::tempdir() . '/report';
	my $before = -e $old->data_dir . '/postmaster.pid' && kill(0, $old->{_pid} // 0) ? undef : fingerprint($old->data_dir);
	IPC::Run::run([ tool(), 'diff', '-D', $old->data_dir, '--source-server=' . source_conninfo($new), "--report=$report", @options ],
		'<', \undef, '>', \$output, '2>', \$errors);
	my $status = $? >> 8;
	note($output, $errors);
	is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'nothing on the target has changed') if $before;
	return ($output, $errors, -e $report ? decode_json(slurp_file($report)) : undef, $status);
}

# One running server cannot be compared.
my ($output, $errors, $report, $status) = diff();
is($status, 1, 'a running target: exit status 1');
like($errors, qr/target server must be shut down/, 'and it says why');
is($report->{outcome}, 'failed', 'and so does the report');

# A clean switchover: the standby has all that the primary had.
$old->stop('fast');
promote($new);
$new->safe_psql('postgres', 'CHECKPOINT');
my $position = 'SELECT redo_lsn FROM pg_control_checkpoint()';
my $before = $new->safe_psql('postgres', $position);
($output, $errors, $report, $status) = diff();
is($status, 0, 'level servers: exit status 0');
is($report->{differing_blocks}, 0, 'no block differs');
cmp_ok($report->{blocks_compared}, '>', 500, 'though they were compared');
unlike($output, qr/\Q$file{same}\E/, 'a table that is the same is not named');

# Both go on. The target crashes; a page rots; the source's tables change.
$old->start;
$old->safe_psql('postgres', 'CREATE TABLE mine AS SELECT 1 AS one; CHECKPOINT');
my $mine = $old->safe_psql('postgres', "SELECT pg_relation_filepath('mine')");
$old->stop('immediate');
$new->safe_psql('postgres', "UPDATE other SET t = 'x' WHERE i = 1; CHECKPOINT");
$new->safe_psql('closed', 'DELETE FROM secret; CHECKPOINT');
open my $rotten, '+<:raw', $old->data_dir . "/$file{same}" or die $!;
seek $rotten, 5 * 8192 + 3000, 0;
print $rotten 'rot';
close $rotten;
$before = $new->safe_psql('postgres', $position);
($output, $errors, $report, $status) = diff();
is($status, 0, 'servers that differ: exit status 0');
like($output, qr/^differs +\Q$file{same}\E: 1 of \d+ blocks, .*; postgres: public\.same \(table\)$/m, 'the rotten block is found');
like($output, qr/^differs +\Q$file{other}\E: [123] of \d+ blocks,.*; postgres: public\.other/m, "the source's changes are found");
like($output, qr/^differs +\Q$secret\E: \d+ of \d+ blocks, [^;]*$/m, 'what has no name is named by its file');
like($output, qr/^only on target +\Q$mine\E: 8\.0 kB/m, "the target's own table is found");
unlike($output, qr{fleeting|postgresql\.conf|pg_wal/|pg_stat/}, 'what belongs to each server is not mentioned');
like($output, qr/^\d+ of \d+ blocks differ in \d+ relation files; .*on the target$/m, 'totals');
like($errors, qr/no names of relations in database "closed"/, 'it says where it may not look for names');
ok($report->{differs}, 'the report: differs');
my ($entry) = grep { $_->{path} eq $file{same} } @{ $report->{files} };
is($entry->{differing_blocks}, 1, 'the report: blocks of a file');
is($entry->{relation}{name}, 'public.same', 'the report: its name');
is($new->safe_psql('postgres', $position), $before, 'it started no checkpoint and no backup on the source');

($output) = diff('--report=-');
ok(decode_json($output)->{differs}, '--report=- gives a program nothing else');

# With a stopped source nobody knows names.
$new->stop('fast');
my ($local) = run_command([ tool(), 'diff', '-D', $old->data_dir, '--source-pgdata', $new->data_dir ]);
like($local, qr/^differs +\Q$file{same}\E: 1 of \d+ blocks, [^;]*$/m, 'from a directory');
done_testing();
