# WAL summaries (17 and later): those of the lost timeline go, and the new standby summarizes its own WAL again, so
# that an incremental backup of it is possible and whole.
# No twin by pg_rewind: it compares relations, and this is about summaries of WAL.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($stdout) = run_command([ 'postgres', '-V' ]);
my ($major) = $stdout =~ /(\d+)/;
plan skip_all => 'WAL summaries came with 17' if $major < 17;
plan skip_all => 'pg_rewind leaves the summaries of the lost timeline' if is_pg_rewind();

# Summaries are written at checkpoints' redo points; poll until they reach a position.
sub summarized
{
	my ($node, $position) = @_;
	return $node->poll_query_until('postgres',
		"SELECT coalesce(max(end_lsn) >= '$position', false) FROM pg_available_wal_summaries()");
}

my $old = start_primary('old', conf => "summarize_wal = on\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
upsert($old, 20);
promote($new);
upsert($new, 20);
upsert($old, 20);
$old->safe_psql('postgres', 'CHECKPOINT');
my $lost = $old->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
ok(summarized($old, $lost), 'the old primary summarized WAL that is lost later');
my @before = files_below($old->data_dir . '/pg_wal/summaries');
cmp_ok(scalar(@before), '>', 0, 'there are summaries');

failback_ok($old, $new, start => 0);
is(join(' ', files_below($old->data_dir . '/pg_wal/summaries')), '', 'no summary is left');
$old->start;
ok(wait_streaming($old, $new), 'old streams from new');

my $full = $old->backup_dir . '/full';
command_ok([ 'pg_basebackup', '-D', $full, '-h', $old->host, '-p', $old->port, '-c', 'fast', '--no-sync' ],
	'a base backup of the new standby');
upsert($new, 20);
$new->safe_psql('postgres', 'CHECKPOINT');
my $checkpoint = $new->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
wait_streaming($old, $new);
$old->safe_psql('postgres', 'CHECKPOINT');
ok(summarized($old, $checkpoint), 'the new standby summarizes');
my $incremental = $old->backup_dir . '/incremental';
command_ok(
	[
		'pg_basebackup', '-D', $incremental, '-h', $old->host, '-p', $old->port, '-c', 'fast', '--no-sync',
		"--incremental=$full/backup_manifest"
	],
	'and an incremental one');
my $combined = $old->backup_dir . '/combined';
command_ok([ 'pg_combinebackup', '--no-sync', '-o', $combined, $full, $incremental ], 'they combine');
command_ok([ 'pg_verifybackup', '-n', $combined ], 'to a backup that is whole');

ends_equal($old, $new);

done_testing();
