# Debian's layout: the configuration is outside of the data directory. It is found in what the server was last started with,
# or where --config-file says; none of it is touched, and none appears in the data directory.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind 15 does not look for it' if is_pg_rewind();

my $etc = PostgreSQL::Test::Utils::tempdir;
my $archive = PostgreSQL::Test::Utils::tempdir;
my $old = start_primary('old', conf => "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/%f\"'\n"
	  . "wal_keep_size = 0\nmin_wal_size = 32MB\nmax_wal_size = 64MB\n");
my $dir = $old->data_dir;
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "wal_keep_size = 1GB\narchive_mode = off\n");
$old->stop('fast');

# The configuration moves out; -D names the data directory, config_file the rest.
my @moved = ('postgresql.conf', 'pg_hba.conf', 'pg_ident.conf');
for my $name (@moved)
{
	rename "$dir/$name", "$etc/$name" or die "could not move $name: $!";
}
append_to_file("$etc/postgresql.conf",
	    "data_directory = '$dir'\nhba_file = '$etc/pg_hba.conf'\nident_file = '$etc/pg_ident.conf'\n"
	  . "restore_command = 'cp \"$archive/%f\" \"%p\"'\n");

# Starts a server in that layout. The module's own start() knows only the other one.
sub start_elsewhere
{
	is(PostgreSQL::Test::Utils::system_log('pg_ctl', '--wait', '-D', $dir, '-l', $old->logfile,
			'-o', "-c config_file=$etc/postgresql.conf", 'start'),
		0, 'start with the configuration elsewhere')
	  or die 'it does not start';
	$old->_update_pid(1);
	return;
}

start_elsewhere();
wait_streaming($new, $old);
promote($new);
upsert($_, 20) for ($old, $new);
my $first = $old->safe_psql('postgres', 'SELECT pg_walfile_name(redo_lsn) FROM pg_control_checkpoint()');
wait_until('the first segment has been recycled', sub {
	$old->safe_psql('postgres', 'SELECT upsert(i) FROM generate_series(1, 2000) i; SELECT pg_switch_wal(); CHECKPOINT');
	return !-e "$dir/pg_wal/$first";
});
$old->stop('fast');
my @source = ('-D', $dir, '--source-server=' . source_conninfo($new));
# --config-files=source, pg_rewind's way, brings the source's files here, but this server does not read them.
my $own = slurp_file("$etc/postgresql.conf");
append_to_file("$etc/postgresql.conf", "max_connections = 50\n");
my ($succeeded, $output) = run_tool(@source, '-n', '-c', '--config-files=source');
like($output, qr/warning: .*max_connections.*\b50\b.*\b60\b/, "the source's setting does not come with its files");
unlink "$etc/postgresql.conf";
append_to_file("$etc/postgresql.conf", $own);
my $before = fingerprint($etc);

# restore_command is in that file: -c shows that it is read.
($succeeded, $output) = run_tool(@source, '-n', '-c', '--mode=wal');
ok($succeeded, 'found through postmaster.opts');
unlike($output, qr/warning: could not read the target's settings/, 'no setting is missed');
# One that lies about in the data directory is not what the server was started with.
append_to_file("$dir/postgresql.conf", "restore_command = ''\n");
($succeeded, $output) = run_tool(@source, '-n', '-c', '--mode=wal');
ok($succeeded, 'a postgresql.conf in the data directory is not taken for it');
unlink "$dir/postgresql.conf";
rename "$dir/postmaster.opts", "$etc/postmaster.opts" or die "rename: $!";
refused_ok('no postmaster.opts', $dir, qr/could not read setting "restore_command".*--config-file/s, @source, '-c', '--mode=wal');
($succeeded, $output) = run_tool(@source, '-n', '-c', '--mode=wal', "--config-file=$etc/postgresql.conf");
ok($succeeded, 'found with --config-file');
rename "$etc/postmaster.opts", "$dir/postmaster.opts" or die "rename: $!";

# In the twin's data directory it has a place again.
keep_twin($old, conf => $own =~ s/^(data_directory|hba_file|ident_file) = .*\n//mgr);
($succeeded, $output) = run_tool(@source, '-c', '--mode=wal', '-R');
ok($succeeded, 'failback') or BAIL_OUT($output);
is(join(' ', changed_files($before, fingerprint($etc))), '', 'the configuration is untouched');
ok(!-e "$dir/$_", "no $_ in the data directory") for @moved;
ok(-e "$dir/$_.source", "the source's $_ lies there for reading") for ('postgresql.conf', 'pg_hba.conf');

rewind_twin($old, $new, undef, '-c', "--config-file=$etc/postgresql.conf");

$new->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
start_elsewhere();
ok(wait_streaming($old, $new), 'streams');
ends_equal($old, $new);

done_testing();
