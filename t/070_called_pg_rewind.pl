# Called by the name of pg_rewind, through a link, the way Patroni calls it: pg_rewind's defaults and words, a password
# from PGPASSFILE, PGOPTIONS, and a connection string with target_session_attrs.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'the link is to pg_failback' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir;
my ($bindir) = run_command([ 'pg_config', '--bindir' ]);
my $called = "$place/pg_rewind";
symlink "$bindir/pg_failback", $called or die "could not make a link: $!";

# (exit status, standard output, standard error) of the link with these arguments
sub call
{
	my ($output, $errors) = ('', '');
	IPC::Run::run([ $called, @_ ], '<', \undef, '>', \$output, '2>', \$errors);
	my $status = $? >> 8;
	note("@_", "\n", $output, $errors);
	return ($status, $output, $errors);
}

# What a wrapper asks before anything else; no server is there.
{
	local $ENV{PGHOST} = "$place/nowhere";
	my ($status, $output) = call('--help');
	is($status, 0, '--help: exit status');
	like($output, qr/^Usage:\n  pg_rewind \[OPTION\]/m, '--help: the name it was called by');
	like($output, qr/--$_\b/, "--help: --$_")
	  for (qw(restore-target-wal target-pgdata source-pgdata source-server dry-run no-sync progress write-recovery-conf
		config-file debug no-ensure-shutdown sync-method version));
	($status, $output) = call('--version');
	is($status, 0, '--version: exit status');
	like($output, qr/^pg_rewind \(PostgreSQL\) \d+/, '--version: as pg_rewind has it');
}

# Between one tool's run and the other's nothing is to happen.
my $old = start_primary('old', conf => "autovacuum = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
for my $node ($old, $new)
{
	upsert($node, 20);
	$node->append_conf('postgresql.conf', '# this is the server ' . $node->name);
}
$old->append_conf('postgresql.conf', 'max_connections = 50');
$new->safe_psql('postgres', "SET password_encryption = 'scram-sha-256'; ALTER ROLE failback_user REPLICATION PASSWORD 'secret';"
	  . 'ALTER ROLE failback_user SET default_transaction_read_only = on');
my $hba = slurp_file($new->data_dir . '/pg_hba.conf');
unlink $new->data_dir . '/pg_hba.conf';
$new->append_conf('pg_hba.conf',
	"local all failback_user scram-sha-256\nlocal replication failback_user scram-sha-256\n$hba");
$new->reload;
$old->stop('fast');
# Its own setting would be too low for a standby; pg_rewind brings the source's.
keep_twin($old, conf => slurp_file($old->data_dir . '/postgresql.conf') =~ s/^max_connections = 50$//mr);

my $dsn = 'user=failback_user host=' . $new->host . ' port=' . $new->port . ' dbname=postgres target_session_attrs=read-write';
my @arguments = ('-D', $old->data_dir, '--source-server', $dsn, '-R', '-P', '--no-ensure-shutdown', '--sync-method=fsync');
my $pgpass = "$place/pgpass";
append_to_file($pgpass, "*:*:*:failback_user:wrong\n");
chmod 0600, $pgpass or die "chmod: $!";
local $ENV{PGPASSFILE} = $pgpass;
local $ENV{PGOPTIONS} = '-c statement_timeout=0 -c default_transaction_read_only=off';

my $before = fingerprint($old->data_dir);
my ($status, undef, $errors) = call(@arguments);
is($status, 1, 'wrong password: exit status');
like($errors, qr/^pg_rewind: error: .*password authentication failed/ms, 'wrong password: its message');
is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'wrong password: nothing changed');

unlink $pgpass;
append_to_file($pgpass, "*:*:*:failback_user:secret\n");
chmod 0600, $pgpass or die "chmod: $!";
{
	# A standby is none of those that target_session_attrs asks for.
	(my $read_only = $dsn) =~ s/read-write/standby/;
	($status, undef, $errors) = call('-D', $old->data_dir, '--source-server', $read_only);
	is($status, 1, 'target_session_attrs: exit status');
	like($errors, qr/not in hot standby mode/, 'target_session_attrs is honoured');
}
{
	# Nor is a session that may only read; PGOPTIONS makes it one that may write.
	local $ENV{PGOPTIONS} = '-c statement_timeout=0';
	($status, undef, $errors) = call(@arguments);
	is($status, 1, 'without what PGOPTIONS says: exit status');
	like($errors, qr/session is read-only/, 'without what PGOPTIONS says: refused');
	is(join(' ', changed_files($before, fingerprint($old->data_dir))), '', 'without what PGOPTIONS says: nothing changed');
}
{
	local $ENV{PG_COLOR} = 'always';
	($status, undef, $errors) = call('-D', $old->data_dir);
	like($errors, qr/\e\[/, 'PG_COLOR is honoured');
}

($status, undef, $errors) = call(@arguments);
is($status, 0, 'failback, and PGOPTIONS is honoured: exit status') or BAIL_OUT($errors);
like($errors, qr/^pg_rewind: servers diverged at WAL location [0-9A-F\/]+ on timeline 1$/m, 'its messages begin with its name');
like($errors, qr/^pg_rewind: Done!$/m, 'the last of them');
unlike($errors, qr/max_connections/, "no warning of a setting that comes with the source's configuration");
unlike($errors, qr/^pg_failback:/m, 'none begins with another');
is(slurp_file($old->data_dir . '/postgresql.conf'), slurp_file($new->data_dir . '/postgresql.conf'),
	"the configuration is the source's, as pg_rewind leaves it");
is(join(' ', grep { /\.source$/ } files_below($old->data_dir)), '', 'no copies beside it');
like(slurp_file($old->data_dir . '/postgresql.auto.conf'), qr/^primary_conninfo = .*\Q$pgpass\E/m, '-R wrote where the password is');
unlike(slurp_file($old->data_dir . '/postgresql.auto.conf'), qr/secret/, 'and not the password');

# primary_conninfo is for another role.
like(rewind_twin($old, $new, undef, '-R'), qr/servers diverged at WAL location [0-9A-F\/]+ on timeline 1$/m, "pg_rewind's own words");
same_files_ok($old, qr/^postgresql\.auto\.conf$/);

$old->append_conf('postgresql.conf', 'port = ' . $old->port . "\nunix_socket_directories = '" . $old->host . "'");
$old->start;
ok(wait_streaming($old, $new), 'streams');
ends_equal($old, $new);

# A plain ancestor now, with the same words as pg_rewind's.
($status, undef, $errors) = call(@arguments);
is($status, 0, 'again: exit status');
like($errors, qr/^pg_rewind: no rewind required$/m, 'again: no rewind required');
{
	# All of it from the environment.
	local @ENV{ 'PGUSER', 'PGHOST', 'PGPORT', 'PGDATABASE' } = ('failback_user', $new->host, $new->port, 'postgres');
	($status, undef, $errors) = call('-D', $old->data_dir, '--source-server=', '-R');
	is($status, 0, 'an empty connection string: exit status');
	my $port = $new->port;
	like(slurp_file($old->data_dir . '/postgresql.auto.conf'), qr/^primary_conninfo = .*user=failback_user.*port=$port/m,
		'an empty connection string: -R wrote what the environment says');
}

done_testing();
