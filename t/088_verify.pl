# The result can be checked: by --verify, by the command "verify" until a server is started, and by PostgreSQL's own
# pg_verifybackup.
# No twin by pg_rewind: pg_rewind verifies nothing; what is failed back here differs in nothing from t/047.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind verifies nothing' if is_pg_rewind();

my $space = PostgreSQL::Test::Utils::tempdir;
mkdir "$space/here";
my $old = start_primary('old', initdb => ['--wal-segsize=1']);
$old->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$space/here'");
$old->safe_psql('postgres', <<'SQL');
CREATE TABLE both_write AS SELECT i, md5(i::text) AS t FROM generate_series(1, 30000) i;
CREATE TABLE at_rest AS SELECT i, md5(i::text) AS t FROM generate_series(1, 30000) i;
VACUUM FREEZE;
CHECKPOINT;
SQL
my $at_rest = $old->safe_psql('postgres', "SELECT pg_relation_filepath('at_rest')");
my $new = add_standby('new', $old, options => [ '-T', "$space/here=$space/there" ]);
promote($new);
for my $node ($old, $new)
{
	$node->safe_psql('postgres', <<'SQL');
UPDATE both_write SET t = pg_backend_pid()::text WHERE i % 100 = 0;
CREATE TABLE made_since TABLESPACE space AS SELECT i, md5(i::text) AS t FROM generate_series(1, 40000) i;
SELECT pg_switch_wal();
INSERT INTO both_write SELECT i, 'more' FROM generate_series(30001, 33000) i;
SQL
}
$old->stop('fast');

sub verify { return run_tool('verify', '-D', $old->data_dir); }

sub verifybackup
{
	my $output = '';
	my $accepted = IPC::Run::run([ 'pg_verifybackup', $old->data_dir ], '<', \undef, '>&', \$output);
	return ($accepted, $output);
}

# Rot in a page that nobody has written since: no WAL names it.
flip_bit($old->data_dir . "/$at_rest", 3 * 8192 + 4000);

my @failback = ('-D', $old->data_dir, '--source-server=' . source_conninfo($new), '--manifest-checksums=sha256');
my ($succeeded, $output, $status) = run_tool(@failback, '--mode=wal', '--verify');
is($status, 1, '--verify of a target with a rotten page: exit status 1');
like($output, qr/verified [\d.]+ MB that were fetched/, 'what was fetched is as it was fetched');
like($output, qr/error: file "\Q$at_rest\E", bytes 24576 to 32767: has wrong page checksums/, 'the rotten page is named');
like($output, qr/hint: .*--mode=compare/, 'the hint tells what heals it');
ok(-e $old->data_dir . '/backup_label' && -e $old->data_dir . '/global/pg_control', 'the failback itself is complete');
($succeeded, $output, $status) = verify();
is($status, 1, 'the command "verify" finds it too');
like($output, qr/error: file "\Q$at_rest\E"/, 'and names it');
# What cannot be read is a defect like others, and does not hide them.
my ($unreadable) = grep { m{^base/1/\d+$} && -s $old->data_dir . "/$_" } files_below($old->data_dir);
chmod 0, $old->data_dir . "/$unreadable";
($succeeded, $output, $status) = verify();
is($status, 1, 'a file that cannot be read: exit status 1');
like($output, qr/error: file "\Q$unreadable\E" cannot be read: .*Permission denied/, 'it is named');
like($output, qr/error: file "\Q$at_rest\E"/, 'and so is the page');
chmod 0600, $old->data_dir . "/$unreadable";

($succeeded, $output, $status) = run_tool(@failback, '--mode=compare', '--verify');
is($status, 0, '--mode=compare heals it') or diag($output);
like($output, qr/verified the page checksums of/, 'and --verify is content');

my ($accepted, $said) = verifybackup();
ok($accepted, 'pg_verifybackup accepts the finished directory') or diag($said);
($succeeded, $output, $status) = verify();
is($status, 0, 'so does "verify"') or diag($output);
like($output, qr/no defect was found/, 'and says so');
my $was = fingerprint($old->data_dir);
verify();
is(join(' ', changed_files($was, fingerprint($old->data_dir))), '', '"verify" changes nothing');

# --- Defects of every kind ---
my $dir = $old->data_dir;
my $changed = $new->safe_psql('postgres', "SELECT pg_relation_filepath('made_since')");
# The first record that recovery reads.
slurp_file("$dir/backup_label") =~ m{START WAL LOCATION: [0-9A-F]+/([0-9A-F]+) \(file ([0-9A-F]{24})\)} or die 'no backup_label';
my ($position, $segment) = (hex($1) % (1024 * 1024), "pg_wal/$2");
for my $defect (
	[ $changed, 5 * 8192 + 100 ],
	[ 'backup_label', 10 ],
	[ $segment, $position + 21 ]) # its CRC
{
	my ($path, $offset) = @$defect;
	flip_bit("$dir/$path", $offset);
	($succeeded, $output, $status) = verify();
	is($status, 1, "a flipped bit in $path: exit status 1");
	like($output, qr/error: file "\Q$path\E"/, "a flipped bit in $path: it is named");
	($accepted, $said) = verifybackup();
	ok(!$accepted, "a flipped bit in $path: pg_verifybackup agrees");
	flip_bit("$dir/$path", $offset);
}
rename "$dir/$changed", "$dir/$changed.away" or die "could not rename: $!";
($succeeded, $output, $status) = verify();
is($status, 1, 'a missing file: exit status 1');
like($output, qr/error: file "\Q$changed\E" is missing/, 'a missing file is named');
rename "$dir/$changed.away", "$dir/$changed" or die "could not rename: $!";
is((verify())[2], 0, 'with all of it repaired, no defect is found');

# --- After a start ---
$old->append_conf('postgresql.conf', "primary_conninfo = '" . $new->connstr . "'");
$old->append_conf('standby.signal', '');
$old->start;
like((verify())[1], qr/error: target server must be shut down/, 'not while a server runs');
ends_equal($old, $new);
($succeeded, $output, $status) = verify();
is($status, 0, 'after a start and a stop: pages can be verified') or diag($output);
like($output, qr/warning: a server has been started since the failback/, 'and it says that only they can');

# --- Words that make no sense ---
like((run_tool('verify', '-D', $dir, '--source-server=x'))[1], qr/error: option --source-server cannot be used with command "verify"/,
	'"verify" takes no source');
like((run_tool(@failback, '--manifest-checksums=md5'))[1], qr/error: unrecognized checksum algorithm: "md5"/, 'an unknown algorithm');

done_testing();
