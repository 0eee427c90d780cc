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

# pg_rewind would leave what is foreign, and recovery would follow it: its copy is made before.
keep_twin($old);

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

# What -R and hot standby would fail on is told here too, before anything is done.
if (!is_pg_rewind())
{
	$old->append_conf('postgresql.conf', 'max_connections = 50');
	my $warnings = qr/(?=.*no rewind required)(?=.*warning: role "failback_user" may not stream WAL)(?=.*warning: .*max_connections.*\b50\b.*\b60\b)/s;
	($succeeded, $output) = failback($old, $new, '-n', '-R');
	ok($succeeded, '-n -R');
	like($output, $warnings, '-n -R: its warnings');
	chmod 0500, $old->data_dir or die "chmod: $!";
	refused_ok('a missing slot and a closed directory', $old->data_dir,
		qr/(?=.*replication slot "absent" does not exist)(?=.*could not write to directory "\S*pgdata": Permission denied)/s,
		'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '-R', '--slot=absent', $_ ? '-n' : ())
	  for (0, 1);
	chmod 0700, $old->data_dir or die "chmod: $!";
	my $settings = $old->data_dir . '/postgresql.auto.conf';
	chmod 0, $settings or die "chmod: $!";
	for my $options (['-n'], [])
	{
		refused_ok("-R with unreadable settings, @$options", $old->data_dir, qr/could not open file "\Q$settings\E": Permission denied/,
			'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '-R', @$options);
	}
	chmod 0600, $settings;
	rename $settings, "$settings.own" or die "rename: $!";
	symlink 'postgresql.auto.conf.own', $settings or die "symlink: $!";
	for my $options (['-n'], [])
	{
		refused_ok("-R with linked settings, @$options", $old->data_dir, qr/"\Q$settings\E" is a symbolic link, and -R does not write through it/,
			'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '-R', @$options);
	}
	rename "$settings.own", $settings or die "rename: $!";
	$old->append_conf('postgresql.conf', 'max_connections = 60');
}

# The slot for the standby is made here too, with and without -R, and stays only if all goes well.
sub slots { return $new->safe_psql('postgres', "SELECT string_agg(slot_name || ' ' || (restart_lsn IS NOT NULL), ',') FROM pg_replication_slots WHERE NOT temporary"); }
($succeeded, $output) = failback($old, $new, '--slot=later');
ok(!$succeeded, 'a slot that does not exist');
like($output, qr/(error|detail): replication slot "later" does not exist/, 'its message');
ok((failback($old, $new, '-n', '--slot=later', '--create-slot'))[0], '-n with a slot');
is(slots(), '', 'makes none');
my $data = $old->data_dir;
system('cp', '-a', $data, "$data.aside") == 0 or die "could not copy $data";
sub restore { system('rm', '-rf', $data) == 0 && system('cp', '-a', "$data.aside", $data) == 0 or die "could not restore $data"; return; }
mkdir "$data/standby.signal";
($succeeded, $output) = failback($old, $new, '-R', '--slot=later', '--create-slot');
ok(!$succeeded, 'standby.signal cannot be written');
like($output, qr/error: .*standby\.signal/, 'says so');
is(slots(), '', 'and the slot is dropped');
restore();
ok((failback($old, $new, '--slot=later', '--create-slot'))[0], 'a slot without -R');
is(slots(), 'later true', 'is made');
$new->safe_psql('postgres', "SELECT pg_drop_replication_slot('later')");
restore();

failback_ok($old, $new, standby_settings => '-R', no_rewind => 1, twin => 1, like => qr/removing "pg_wal\/$later"/);
ok(!-e "$wal/00000003.history" && !-e "$wal/archive_status/00000003.history.done", 'its foreign history is gone');
is(slurp_file("$wal/00000002.history"), slurp_file($new->data_dir . '/pg_wal/00000002.history'), "the source's has come");
ends_equal($old, $new);

done_testing();
