# Options that wrappers give along are honoured together: -c with --config-file, -N, -P, --sync-method=syncfs,
# --no-ensure-shutdown, --debug. And a standby.signal that a wrapper has hidden or left stays as it was.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind 15 does not know them all' if is_pg_rewind();

my $old = start_primary('old', conf => "restore_command = 'false'\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');
my $dir = $old->data_dir;
# repmgr moves it aside and back; what it says, it says to itself.
$old->append_conf('standby.signal.hidden', 'hidden');
my @source = ('-D', "$dir/", '--source-server=' . source_conninfo($new));
my @all = ('--restore-target-wal', "--config-file=$dir/postgresql.conf", '--progress', '--no-ensure-shutdown', '--debug');

my ($succeeded, $output) = run_tool(@source, @all, '--dry-run', '--no-sync');
ok($succeeded, 'all of them, --dry-run');
like($output, qr/^pg_failback: base\/\d+\/\d+: change$/m, '--debug: it tells which files');
my $output_of_run = failback_ok($old, $new, options => [ @all, '--sync-method=syncfs' ], start => 0, like => qr/servers diverged at/);
like($output_of_run, qr/^fetch: [\d.]+ [kM]B in /m, '--progress: it tells what has been fetched');
is(slurp_file("$dir/standby.signal.hidden"), "hidden\n", "the wrapper's file is still there");
$old->start;
ok(wait_streaming($old, $new), 'streams');

# Once more, as a standby that has nothing to rewind.
$old->stop('fast');
my $before = fingerprint($dir);
($succeeded, $output) = run_tool(@source, @all, '-N');
ok($succeeded, 'again');
like($output, qr/no rewind required/, 'again: nothing to do');
is(join(' ', changed_files($before, fingerprint($dir))), '', 'again: standby.signal and all else is as it was');
$old->start;
ok(wait_streaming($old, $new), 'streams');
ends_equal($old, $new);

done_testing();
