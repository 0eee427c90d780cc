# A pair of servers for the demo and the benchmarks: made, torn apart, and stopped again. Everything lies
# in one directory that is removed at the end.
package Cluster;

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Socket::INET;
use Time::HiRes qw(time);

our @EXPORT = qw(run capture sql make_server make_standby start_server stop_server promote_server
  conninfo wait_for free_port place database_rows joins_and_agrees seconds_of say_line);

my $pg_config = $ENV{PG_CONFIG} || "pg_config";
my $bindir = qx($pg_config --bindir);
chomp $bindir;
$ENV{PATH} = "$bindir:$ENV{PATH}";
delete @ENV{qw(PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS)};

my $place = File::Temp->newdir('pg_failback_bench.XXXXXX', TMPDIR => 1);
my %running;

sub place { return "$place"; }

sub say_line { my ($format, @values) = @_; $| = 1; printf("$format\n", @values); return; }

# Runs a program whose output is of interest only if it fails.
sub run
{
	my (@command) = @_;
	my $log = "$place/command.log";
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null' or die;
		open STDOUT, '>', $log or die;
		open STDERR, '>&', \*STDOUT or die;
		exec(@command) or die "could not run $command[0]: $!";
	}
	waitpid($pid, 0);
	return if $? == 0;
	open my $file, '<', $log;
	die "@command failed:\n", <$file>;
}

sub capture
{
	my (@command) = @_;
	open my $pipe, '-|', @command or die "could not run $command[0]: $!";
	local $/;
	my $output = <$pipe> // '';
	close $pipe or die "@command failed";
	$output =~ s/\n\z//;
	return $output;
}

sub sql
{
	my ($server, $query, $database) = @_;
	return capture('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', conninfo($server, $database), '-c', $query);
}

sub conninfo
{
	my ($server, $database, $user) = @_;
	return "host=127.0.0.1 port=$server->{port} user=" . ($user // 'bench') . ' dbname=' . ($database // 'postgres');
}

sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no free port: $!";
	return $socket->sockport;
}

# A primary in DIRECTORY NAME with data checksums. fsync is off: the tools are measured, not the servers.
sub make_server
{
	my ($name, $settings) = @_;
	my $server = { name => $name, data => "$place/$name", port => free_port() };
	run('initdb', '-k', '-A', 'trust', '-U', 'bench', '-D', $server->{data}, '--no-sync');
	settings($server, <<"CONF" . ($settings // ''));
unix_socket_directories = ''
listen_addresses = '127.0.0.1'
wal_log_hints = on
shared_buffers = 256MB
max_connections = 50
max_wal_size = 8GB
wal_keep_size = 4GB
checkpoint_timeout = 1h
fsync = off
synchronous_commit = off
hot_standby = on
CONF
	start_server($server);
	return $server;
}

# Appends to a server's configuration; its port always.
sub settings
{
	my ($server, $text) = @_;
	open my $file, '>>', "$server->{data}/postgresql.conf" or die "could not open postgresql.conf: $!";
	print $file $text, "port = $server->{port}\n";
	close $file;
	return;
}

sub make_standby
{
	my ($name, $primary) = @_;
	my $server = { name => $name, data => "$place/$name", port => free_port() };
	run('pg_basebackup', '-D', $server->{data}, '-c', 'fast', '-R', '-d', conninfo($primary), '--no-sync');
	settings($server, '');
	start_server($server);
	wait_for($server, "SELECT EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming')");
	return $server;
}

sub start_server
{
	my ($server) = @_;
	run('pg_ctl', '-w', '-t', 300, '-D', $server->{data}, '-l', "$place/$server->{name}.log", 'start');
	$running{ $server->{data} } = 1;
	return;
}

sub stop_server
{
	my ($server) = @_;
	run('pg_ctl', '-w', '-t', 300, '-D', $server->{data}, '-m', 'fast', 'stop');
	delete $running{ $server->{data} };
	return;
}

sub promote_server
{
	my ($server) = @_;
	run('pg_ctl', '-w', '-D', $server->{data}, 'promote');
	wait_for($server, 'SELECT NOT pg_is_in_recovery()');
	return;
}

# Polls until the query's answer is true; two minutes at most.
sub wait_for
{
	my ($server, $query) = @_;
	my $end = time() + 120;
	while (time() < $end)
	{
		return if sql($server, $query) eq 't';
		select(undef, undef, undef, 0.02);
	}
	die "timed out on $server->{name}: $query";
}

# table => "count hash" of every user table, a query for all of them.
sub database_rows
{
	my ($server, $pattern) = @_;
	my %rows;
	my $query = sql($server, <<"SQL");
SELECT string_agg(format('SELECT %L, count(*), sum(hashtext(t::text)::bigint) FROM %s t', relname, oid::regclass), ' UNION ALL ')
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname ~ '@{[ $pattern // '' ]}'
SQL
	foreach my $line (split /\n/, sql($server, $query))
	{
		my ($table, @values) = split /\|/, $line;
		$rows{$table} = join(' rows, hash ', @values);
	}
	return \%rows;
}

# Starts the directory `data` as a standby of `primary` on `port`; dies unless it gets the same rows in the tables that
# match. Returns it, running.
sub joins_and_agrees
{
	my ($data, $primary, $port, $pattern) = @_;
	my $standby = { name => 'joined', data => $data, port => $port };
	settings($standby, "primary_conninfo = '" . conninfo($primary) . "'\n");
	open my $signal, '>', "$data/standby.signal" or die "could not create standby.signal: $!";
	close $signal;
	start_server($standby);
	my $position = sql($primary, 'SELECT pg_current_wal_lsn()');
	wait_for($standby, "SELECT pg_last_wal_replay_lsn() >= '$position'");
	my ($here, $there) = map { my $rows = database_rows($_, $pattern); join(';', map { "$_ $rows->{$_}" } sort keys %$rows) }
	  ($standby, $primary);
	die "rows differ on $data\n" if $here ne $there;
	return $standby;
}

sub seconds_of
{
	my ($work) = @_;
	my $start = time();
	$work->();
	return time() - $start;
}

# Also when something died half-way: nothing of ours keeps running. Not in forked children.
my $owner = $$;
END
{
	if ($$ == $owner)
	{
		my $status = $?;
		system("pg_ctl -D $_ -m immediate stop >/dev/null 2>&1") for keys %running;
		$? = $status;
	}
}

1;
