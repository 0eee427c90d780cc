# What is refused, and that a refused target is what it was, to the last byte.
# No twin by pg_rewind: nothing comes of a refusal that could be compared.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind knows no extension' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
$old->safe_psql('postgres', 'CREATE DATABASE without_extension');
$old->safe_psql('postgres', 'CREATE DATABASE with_other_version');
$old->safe_psql('postgres', 'CREATE ROLE nobody_special LOGIN');
my $new = add_standby('new', $old);
promote($new);
upsert($_, 20) for ($old, $new);
my $stranger = start_primary('stranger', extension => 0);
$stranger->stop('fast');
my $target = $old->data_dir;
my @source = ('--source-server=' . source_conninfo($new));

# --- The target ---
refused_ok('running target', undef, qr/target server must be shut down/, '-D', $target, @source);
is($old->safe_psql('postgres', 'SELECT 1'), 1, 'the running target still runs');
$old->stop('fast');
refused_ok('another system', $stranger->data_dir, qr/source and target clusters are from different systems/,
	'-D', $stranger->data_dir, @source);
my $empty = PostgreSQL::Test::Utils::tempdir;
refused_ok('empty directory', $empty, qr/error: .*pg_control.* does not exist/s, '-D', $empty, @source);
refused_ok('no directory', undef, qr/could not .*"\Q$empty\E\/absent.*": No such file or directory/,
	'-D', "$empty/absent", @source);
ok(!-e "$empty/absent", 'no directory: none was made');

# --- The source ---
refused_ok('unreachable source', $target, qr/could not connect|connection to server .* failed/,
	'-D', $target, "--source-server=host=$empty port=1 dbname=postgres");
refused_ok('missing extension', $target, qr/CREATE EXTENSION pg_failback.*without_extension/s,
	'-D', $target, '--source-server=' . source_conninfo($new, 'without_extension'));
$new->safe_psql('with_other_version', <<'SQL');
CREATE EXTENSION pg_failback;
SELECT pg_failback_grant('failback_user');
UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'pg_failback';
SQL
refused_ok('extension of another version', $target, qr/0\.1/,
	'-D', $target, '--source-server=' . source_conninfo($new, 'with_other_version'));
(my $ungranted = $source[0]) =~ s/failback_user/nobody_special/;
refused_ok('role without the grant', $target, qr/permission denied|pg_failback_grant/, '-D', $target, $ungranted);
$new->append_conf('postgresql.conf', 'full_page_writes = off');
$new->reload;
$new->poll_query_until('postgres', "SELECT current_setting('full_page_writes') = 'off'");
# Whoever sees the setting in his session sees it before the checkpointer acts on it.
$new->safe_psql('postgres', 'CHECKPOINT');
refused_ok('full_page_writes off, --mode=wal', $target, qr/by WAL alone: full_page_writes is off on the source/,
	'-D', $target, @source, '--mode=wal');
like((run_tool('-D', $target, @source, '-n'))[1], qr/comparing contents, because full_page_writes is off on the source/,
	'full_page_writes off: an online backup has page images all the same');

# --- The command line ---
refused_ok('no target', undef, qr/no target data directory specified/, @source);
refused_ok('no source', $target, qr/no source specified/, '-D', $target);
refused_ok('two sources', $target, qr/only one of --source-pgdata or --source-server can be specified/,
	'-D', $target, @source, "--source-pgdata=$empty");
refused_ok('unknown option', $target, qr/unrecognized option.*Try "pg_failback --help"/s,
	'-D', $target, @source, '--no-such-option');
refused_ok('surplus argument', $target, qr/too many command-line arguments/, '-D', $target, @source, 'more');
refused_ok('-R without a server', $target, qr/no source server information/,
	'-D', $target, "--source-pgdata=$empty", '-R');
for my $bad ('--config-files=both', '--jobs=0', '--jobs=many')
{
	refused_ok($bad, $target, qr/error: /, '-D', $target, @source, $bad);
}

# --- Root ---
SKIP:
{
	# In a user namespace of our own we are root without having been.
	skip 'no user namespaces here', 3
	  if system('unshare --map-root-user true >/dev/null 2>&1') != 0;
	my $before = fingerprint($target);
	my $output = '';
	ok(!IPC::Run::run([ 'unshare', '--map-root-user', tool(), '-D', $target, @source ],
			'<', \undef, '>', \$output, '2>&1'), 'root: fails');
	like($output, qr/cannot be executed by "root"/, 'root: its message');
	is(join(' ', changed_files($before, fingerprint($target))), '', 'root: nothing changed');
}

# After all that the target can still be failed back, while the source is written to: its online backup makes page images.
$new->safe_psql('with_other_version', 'DROP EXTENSION pg_failback');
my $script = write_sql("\\set id random(1, 5000)\nSELECT upsert(:id);\n");
my $load = pgbench_start($new, '-c', 2, '-R', 200, '-T', 600, '-f', $script);
failback_ok($old, $new, compares => 1, like => qr/comparing contents, because full_page_writes is off on the source$/m);
ok($load->{handle}->pumpable, 'the load was there all the time') or diag($load->{output});
$load->{handle}->signal('INT');
IPC::Run::finish($load->{handle});
is($new->safe_psql('postgres', 'SHOW full_page_writes'), 'off', 'full_page_writes is off still');
ends_equal($old, $new);

# A standby of it makes no backup at all.
my $mirror = add_standby('mirror', $new);
my @mirror = ('-D', $target, '--source-server=' . source_conninfo($mirror), '--mode=compare');
my ($succeeded, $output) = run_tool(@mirror, '-n');
ok($succeeded, 'full_page_writes off on the primary of a standby: -n') or diag($output);
like($output, qr/warning: the source, a standby, will refuse the online backup .* full_page_writes was off/, 'and it warns');
refused_ok('full_page_writes off on the primary of a standby', $target, qr/error: .*full_page_writes=off"? was replayed/, @mirror);

program_help_ok(tool());
program_version_ok(tool());

done_testing();
