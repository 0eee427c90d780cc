# The old primary's WAL back to the last common checkpoint is gone from its pg_wal; -c fetches it from the
# archive with the target's restore_command. So it does the history of the target's timeline.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $archive = PostgreSQL::Test::Utils::tempdir;
my $old = start_primary('old', conf => "wal_keep_size = 0\nmin_wal_size = 32MB\nmax_wal_size = 64MB\n"
	  . "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/%f\"'\n"
	  . "restore_command = 'cp \"$archive/%f\" \"%p\"'\n");
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "wal_keep_size = 1GB\narchive_mode = off\nrestore_command = ''\n");
upsert($old, 50);
wait_streaming($new, $old);
promote($new);
upsert($new, 50);
# Several segments and checkpoints, until what the fork began with has been recycled.
my $first = $old->safe_psql('postgres', 'SELECT pg_walfile_name(redo_lsn) FROM pg_control_checkpoint()');
wait_until('the first segment has been recycled', sub {
	$old->safe_psql('postgres', 'SELECT upsert(i) FROM generate_series(1, 2000) i');
	$old->safe_psql('postgres', 'SELECT pg_switch_wal()');
	$old->safe_psql('postgres', 'CHECKPOINT');
	return !-e $old->data_dir . "/pg_wal/$first";
});
$old->safe_psql('postgres', "SELECT upsert($_); SELECT pg_switch_wal()") for 1 .. 7;
my $last = last_wal_file($old);
$old->stop('fast');
ok(!-e $old->data_dir . "/pg_wal/$first", 'the WAL is gone');
ok(-e "$archive/$first", 'the archive has it');

if (!is_pg_rewind())
{
	# Without -c it would compare the content of both, which works but reads everything.
	my ($succeeded, $output) = failback($old, $new, '-n');
	like($output, qr/comparing contents, because .*WAL/, "without -c the WAL is missed");

	# A command that fails for a reason of its own is not taken for an archive that lacks the segment without a word.
	($succeeded, $output) = failback($old, $new, '-n', '--restore-command=echo "who are you?" >&2; exit 25');
	like($output, qr/comparing contents, because .*WAL.*; restore_command for "[0-9A-F]{24}" ended with status 25 and printed: who are you\?/,
		'what the restore command says is told');
	($succeeded, $output) = failback($old, $new, '-n', '--mode=wal');
	like($output, qr/segment "[0-9A-F]{24}".*hint: .*With -c, WAL that the target no longer has/s, 'without -c: which segment, and a hint');

	# What recovery will not read goes as soon as it has been read here. All that the archive has comes from there, and each call
	# notes how many are kept at the time.
	my $wal = $old->data_dir . '/pg_wal';
	my @both = grep { /^[0-9A-F]{24}$/ && $_ lt $last && -e "$archive/$_" } files_below($wal);
	rename "$wal/$_", "$archive/$_.own" or die "rename: $!" for @both;
	my $counts = PostgreSQL::Test::Utils::tempdir . '/counts';
	($succeeded, $output) = failback($old, $new, '-n', "--restore-command=ls \$(dirname %p) | grep -c . >>$counts; cp $archive/%f %p");
	ok($succeeded, '-n with a restore command');
	rename "$archive/$_.own", "$wal/$_" or die "rename: $!" for @both;
	my @counts = split /\n/, slurp_file($counts);
	note("kept: @counts");
	cmp_ok(scalar(@counts), '>', 6, 'many segments came from the archive');
	cmp_ok((sort { $b <=> $a } @counts)[0], '<', 5, 'few of them were kept at a time');
}
failback_ok($old, $new, options => ['-c'], twin => ['-c']);
ends_equal($old, $new);
$new->stop('fast');

# The target is on timeline 2, and has lost the history of it. No twin: pg_rewind looks for that in pg_wal only, and fails.
if (!is_pg_rewind())
{
	my $first = start_primary('first', conf => "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/later_%f\"'\n"
		  . "restore_command = 'echo %f >> $archive/asked; cp \"$archive/later_%f\" \"%p\"'\n");
	create_upsert_table($first);
	my $second = add_standby('second', $first);
	promote($second);
	my $third = add_standby('third', $second, conf => "archive_mode = off\nrestore_command = ''\n");
	upsert($second, 20);
	wait_streaming($third, $second);
	promote($third);
	upsert($_, 20) for ($second, $third);
	wait_until('the history is archived', sub { -s "$archive/later_00000002.history" });
	$first->stop('fast');
	$second->stop('fast');
	unlink $second->data_dir . '/pg_wal/00000002.history' or die "unlink: $!";
	unlink "$archive/asked";
	my ($succeeded, $output) = failback($second, $third, '-n');
	ok($succeeded, 'without -c');
	like($output, qr/comparing contents, because .*history/, 'without -c the history is missed');
	ok(!-e "$archive/asked", 'and nothing is asked of the archive');
	failback_ok($second, $third, options => ['-c'], like => qr/servers diverged at WAL location [0-9A-F]+\/[0-9A-F]+ on timeline 2\b/);
	like(slurp_file("$archive/asked"), qr/^00000002\.history$/m, 'with -c the archive is asked for it');
	ends_equal($second, $third);
}

done_testing();
