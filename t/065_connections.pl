# TLS with a verified certificate, SCRAM with a password that nobody gets to see, and a role that lays traps in the schema of
# the extension.
# No twin by pg_rewind: the role may do nothing of what pg_rewind asks for; by which connection files come makes no
# other files.
use strict;
use warnings;
use FailbackTest;
use File::Find;
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'about pg_failback only' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir;
my $password = 'Zwiebel-4711 kuchen';
my @certificate = ('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost');
plan skip_all => 'needs openssl'
  if !IPC::Run::run([ @certificate, '-keyout', "$place/server.key", '-out', "$place/server.crt" ], '<', \undef, '>&', \my $said);
IPC::Run::run([ @certificate, '-keyout', "$place/other.key", '-out', "$place/other.crt" ], '<', \undef, '>&', \$said);
chmod 0600, "$place/server.key";

my $old = start_primary('old', conf => "listen_addresses = '127.0.0.1'\npassword_encryption = 'scram-sha-256'\nautovacuum = off\n");
system('cp', '-p', "$place/server.key", "$place/server.crt", $old->data_dir) == 0 or die 'could not copy the certificate';
append_to_file($old->data_dir . '/pg_hba.conf', '');
my $hba = "hostssl all,replication failback_user 127.0.0.1/32 scram-sha-256\nhost all all all reject\nlocal all all trust\nlocal replication all trust\n";
unlink $old->data_dir . '/pg_hba.conf';
append_to_file($old->data_dir . '/pg_hba.conf', $hba);
$old->append_conf('postgresql.conf', 'ssl = on');
$old->restart;
$old->safe_psql('postgres', "ALTER ROLE failback_user PASSWORD '$password' REPLICATION");
$old->safe_psql('postgres', 'CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 10000) i');
my $new = add_standby('new', $old, conf => "listen_addresses = '127.0.0.1'\n");
promote($new);
$_->safe_psql('postgres', 'UPDATE t SET m = md5(m) WHERE i % 7 = 0') for ($old, $new);
$old->stop('fast');

my $target = $old->data_dir;
my $verified = 'host=localhost hostaddr=127.0.0.1 port=' . $new->port . " user=failback_user dbname=postgres sslmode=verify-full sslrootcert=$place/server.crt";
# libpq's passwords file, where colons and backslashes would be escaped.
append_to_file("$place/passwords", "*:*:*:failback_user:$password\n");
append_to_file("$place/wrong_passwords", "*:*:*:failback_user:x$password\n");
chmod 0600, "$place/passwords", "$place/wrong_passwords";
my $report = "$place/report.json";

# Files below a directory that hold the password.
sub holders
{
	my ($root) = @_;
	my @found;
	find({ no_chdir => 1, wanted => sub { push @found, substr($File::Find::name, length($root) + 1) if -f $_ && slurp_file($_) =~ /Zwiebel|kuchen/ } }, $root);
	return join(' ', sort @found);
}

# silent_run(WHAT, connection string, ...): the tool with everything it can print; none of it is the password.
sub silent_run
{
	my ($what, $conninfo, @arguments) = @_;
	unlink $report;
	my $output = '';
	my $ok = IPC::Run::run([ @arguments, "--source-server=$conninfo", '--debug', '--debug', '--progress', '--timeout=10', "--report=$report" ],
		'<', \undef, '>', \$output, '2>&1');
	note($output);
	unlike($output . (-e $report ? slurp_file($report) : ''), qr/Zwiebel|kuchen/, "$what: says nothing of the password");
	return ($ok, $output);
}

sub fails_ok
{
	my ($what, $pattern, $conninfo) = @_;
	my $before = fingerprint($target);
	my ($ok, $output) = silent_run($what, $conninfo, tool(), '-D', $target, '-R');
	ok(!$ok, "$what: fails");
	like($output, $pattern, "$what: its message");
	is(join(' ', changed_files($before, fingerprint($target))), '', "$what: nothing changed");
	return;
}

my $quoted = "password='$password'";
fails_ok('a wrong password', qr/password authentication failed/, "$verified password='x$password'");
{
	local $ENV{PGPASSFILE} = "$place/wrong_passwords";
	fails_ok('a wrong password in the file', qr/password authentication failed/, $verified);
}
fails_ok('no password', qr/no password supplied/, $verified);
fails_ok('without TLS', qr/pg_hba.conf rejects connection/, ($verified =~ s/sslmode=\S+/sslmode=disable/r) . " $quoted");
fails_ok('a certificate of another authority', qr/certificate verify failed/, ($verified =~ s/server\.crt/other.crt/r) . " $quoted");
fails_ok('a certificate for another name', qr/does not match host name/, ($verified =~ s/host=localhost hostaddr=/host=/r) . " $quoted");
fails_ok('nobody there', qr/error: .*refused/, ($verified =~ s/port=\d+/port=1/r) . " $quoted");
fails_ok('a connection string that is none', qr/connection string given as --source-server is not valid/, "$verified password=$password");
fails_ok('a URI that is none', qr/connection string given as --source-server is not valid/, "postgresql://failback_user:Zwiebel\@[::1/postgres");
(my $in_uri = $password) =~ s/ /%20/g;
fails_ok('a URI with nobody there', qr/error: .*refused/, "postgresql://failback_user:$in_uri\@localhost:1/postgres?hostaddr=127.0.0.1&sslmode=require");

# --- A server that takes connections and says nothing ---
my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50, Proto => 'tcp') or die "could not listen: $!";
sub deaf_run
{
	my (@options) = @_;
	my $job = { output => '' };
	$job->{handle} = IPC::Run::start([ tool(), '-D', $target, '-n', @options ], '<', \undef, '>', \$job->{output}, '2>&1');
	IO::Select->new($deaf)->can_read($PostgreSQL::Test::Utils::timeout_default) or die 'the tool has not come';
	$job->{accepted} = $deaf->accept;
	return $job;
}
my $deaf_conninfo = 'host=127.0.0.1 port=' . $deaf->sockport . ' user=failback_user dbname=postgres';
my $job = deaf_run("--source-server=$deaf_conninfo", '--timeout=100');
my $since = time;
$job->{handle}->signal('INT');
$job->{handle}->finish;
cmp_ok(time - $since, '<', 30, 'SIGINT while connecting: it ends');
like($job->{output}, qr/error: stopped by signal 2/, 'SIGINT while connecting: its message');
for ([ 'the time limit', '--timeout=1', '' ], [ "the connection string's time limit", '--timeout=100', ' connect_timeout=1' ])
{
	my ($what, $option, $more) = @$_;
	$since = time;
	$job = deaf_run("--source-server=$deaf_conninfo$more", $option);
	$job->{handle}->finish;
	like($job->{output}, qr/error: could not connect to server "127\.0\.0\.1" port \d+ within 1 seconds/, "$what: its message");
	cmp_ok(time - $since, '<', 30, "$what: it is kept");
	ok(!IO::Select->new($deaf)->can_read(0), "$what: it does not try again");
}
my $past_deaf = ($verified =~ s/host=localhost hostaddr=\S+ port=/host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 connect_timeout=4 port=@{[$deaf->sockport]},/r);
{
	my ($ok, $output) = silent_run('another server answers', "$past_deaf $quoted", tool(), '-D', $target, '-n');
	ok($ok, 'another server of the connection string answers: it is taken');
}

# --- Traps ---
# Where anybody may create functions, those that fit our calls better than ours must not be called: they would run as us.
$new->safe_psql('postgres', "CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory; ALTER ROLE failback_user SET search_path = public, pg_catalog");
my @traps = (
	map({ "pg_failback_$_ LANGUAGE plpgsql" } 'manifest(text, text) RETURNS SETOF record', 'manifest(text) RETURNS SETOF record',
		'read_chunks(text[], int8[], int8[], text, int4) RETURNS SETOF record', 'block_checksums(text[], int8[], int8[]) RETURNS SETOF record',
		'backup_start() RETURNS pg_lsn', 'hold_wal(text) RETURNS text', 'reserve_slot(text, bool) RETURNS bool',
		'recovery_end(VARIADIC int[]) RETURNS pg_lsn', 'source_state(VARIADIC int[]) RETURNS int', 'server_id(VARIADIC int[]) RETURNS text'),
	map({ "$_ LANGUAGE plpgsql" } 'set_config(text, text, bool) RETURNS text', 'string_agg(text, text) RETURNS text',
		'concat(name, text) RETURNS text', 'has_function_privilege(oid, text) RETURNS bool', 'oideq(oid, oid) RETURNS bool'));
$new->safe_psql('postgres', join ';', 'SET ROLE mallory', map { "CREATE FUNCTION public.$_ AS \$\$BEGIN RAISE EXCEPTION 'trapped'; END\$\$" } @traps);
$new->safe_psql('postgres', 'SET ROLE mallory; CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.oideq)');
for my $mode ('wal', 'compare')
{
	my ($ok, $output) = silent_run("traps, --mode=$mode", "$verified $quoted", tool(), '-D', $target, '-n', "--mode=$mode");
	ok($ok, "traps, --mode=$mode: not stepped into");
}

# --- The password in the connection string: -R writes it, as pg_basebackup and pg_rewind do ---
my $copy = "$place/copy";
system('cp', '-a', $target, $copy) == 0 or die 'could not copy the target';
SKIP:
{
	skip 'needs a strace that may trace', 10 if !IPC::Run::run([ 'strace', '-f', '-qq', '-o', '/dev/null', 'true' ], '<', \undef, '>&', \$said);
	# The commit's rename is the fourth, after those of the actions, the plan and the note.
	my ($ok) = silent_run('killed after the commit', "$verified $quoted", 'strace', '-f', '-qq', '-o', "$place/trace", '-e', 'trace=renameat,setsockopt', '-e',
		'inject=renameat:signal=KILL:when=5', tool(), '-D', $copy, '-R');
	ok(!$ok && !-e "$copy/global/pg_control", 'killed after the commit');
	my $trace = slurp_file("$place/trace");
	my $sockets = () = $trace =~ /setsockopt\(\d+, SOL_SOCKET, SO_KEEPALIVE, \[1\]/g;
	cmp_ok($sockets, '>', 1, 'every connection notices a lost peer');
	for my $option ('TCP_KEEPIDLE, [10]', 'TCP_KEEPINTVL, [5]', 'TCP_KEEPCNT, [3]', 'TCP_USER_TIMEOUT, [10000]')
	{
		my $set = () = $trace =~ /setsockopt\(\d+, SOL_TCP, \Q$option\E/g;
		is($set, $sockets, "with $option");
	}
	my $note = slurp_file("$copy/global/pgsql_tmp.pg_failback_moved_pg_control");
	like($note, qr/-D \Q$copy\E .*connection string with a password/, 'the note has the command');
	unlike($note, qr/Zwiebel|kuchen/, 'but not the password');
	my @open = grep { (stat("$copy/$_"))[2] & 0077 } split / /, holders($copy);
	is("@open", '', 'and nobody else may read the staged plan, which has it for postgresql.auto.conf');
}
my ($ok, $output) = silent_run('a password in the connection string', "$verified $quoted", tool(), '-D', $copy, '-R');
ok($ok, 'a password in the connection string: completes');
is(holders($copy), 'postgresql.auto.conf', 'the password is where the standby needs it, and nowhere else');
like(slurp_file("$copy/postgresql.auto.conf"), qr/^primary_conninfo = .*password=/m, 'in primary_conninfo');
is((stat("$copy/postgresql.auto.conf"))[2] & 0077, 0, 'which only its owner may read');

# --- The password in a file ---
{
	local $ENV{PGPASSFILE} = "$place/passwords";
	($ok, $output) = silent_run('a password file', $past_deaf, tool(), '-D', $target, '-R');
	ok($ok, 'a password file: completes');
	my $both = "port=''" . $deaf->sockport . ',' . $new->port . "''";
	like(slurp_file("$target/postgresql.auto.conf"), qr/^primary_conninfo = .*\Q$both\E/m, 'primary_conninfo names the server too that did not answer');
	close $deaf;
	is(holders($target), '', 'the password is nowhere in the target');
	like(slurp_file("$target/postgresql.auto.conf"), qr/^primary_conninfo = .*passfile=.*sslmode=.?'*verify-full/m, 'primary_conninfo names the file, and verifies');
	unlike(slurp_file($new->logfile), qr/Zwiebel|kuchen/, "nor in the source's log");
	ok(-e "$target/server.key", 'the target has its key still');
	$old->start;
	ok(wait_streaming($old, $new), 'the standby streams');
	is($new->safe_psql('postgres', "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid) WHERE usename = 'failback_user'"),
		't', 'with TLS, as the same role');
	ends_equal($old, $new);
}

# --- A key of its own for a host name (19): whatever it is called, nobody is to have it ---
SKIP:
{
	skip 'keys of host names came with 19', 4 if $new->pg_version < 19;
	my $dir = $new->data_dir;
	for (['other.key', 'for_host.pem'], ['other.crt', 'for_host.crt'])
	{
		append_to_file("$dir/$_->[1]", slurp_file("$place/$_->[0]"));
		chmod 0600, "$dir/$_->[1]";
	}
	append_to_file("$dir/pg_hosts.conf", "other.example for_host.crt for_host.pem\n");
	$new->append_conf('postgresql.conf', 'ssl_sni = on');
	$new->reload;
	my $as_role = 'SET ROLE failback_user; SELECT';
	my $read = sub { "$as_role results FROM pg_failback_read_chunks(ARRAY['$_[0]'], ARRAY[0], ARRAY[10])" };
	is($new->safe_psql('postgres', $read->('for_host.crt')), '{10}', 'the certificate of a host name is served');
	my (undef, undef, $error) = $new->psql('postgres', $read->('for_host.pem'));
	like($error, qr/file "for_host\.pem" is not served/, 'its key is not');
	is($new->safe_psql('postgres', "$as_role string_agg(path, ' ') FROM pg_failback_manifest() WHERE path LIKE 'for\\_host%'"),
		'for_host.crt', 'nor listed');
	# The server goes on with what it has loaded.
	append_to_file("$dir/pg_hosts.conf", "broken\n");
	(undef, undef, $error) = $new->psql('postgres', $read->('for_host.pem'));
	like($error, qr/could not load ".*pg_hosts\.conf", which tells what the server's private keys are/, 'nor with a file that no longer tells');
}

done_testing();
