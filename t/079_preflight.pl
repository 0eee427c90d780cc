# What can be known to fail is found before the first change, and all of it is reported at once. -n finds the same, and ends
# with what would be done, in bytes and files; the real run then does so much.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind finds out on the way' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir;
mkdir "$place/old";
my $old = start_primary('old', conf => "autovacuum = off\nmax_prepared_transactions = 2\n");
create_upsert_table($old);
$old->safe_psql('postgres', "CREATE ROLE stranger LOGIN");
$old->safe_psql('postgres', "CREATE DATABASE bare TEMPLATE template0");
$old->safe_psql('postgres', "CREATE TABLESPACE ts LOCATION '$place/old'");
$old->safe_psql('postgres', 'CREATE TABLE first AS SELECT i FROM generate_series(1, 5000) i');
$old->safe_psql('postgres', 'CREATE TABLE second TABLESPACE ts AS SELECT i FROM generate_series(1, 5000) i');
my %file = map { $_ => $old->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } ('first', 'second');
my $new = add_standby('new', $old, options => [ '-T', "$place/old=$place/new" ]);
promote($new);
for my $node ($old, $new)
{
	$node->safe_psql('postgres', 'UPDATE first SET i = -i; UPDATE second SET i = -i');
	upsert($node, 20);
}
upsert($new, 20);
my $last_wal = last_wal_file($old);
$old->stop('fast');

# Settings with which the old primary would refuse to be a standby of the new one.
my %theirs = (max_connections => 90, max_locks_per_transaction => 256, max_worker_processes => 16, max_wal_senders => 20,
	max_prepared_transactions => 5);
my %ours = map { $_ => $new->safe_psql('postgres', "SHOW $_") } keys %theirs;
$new->append_conf('postgresql.conf', join("\n", map { "$_ = $theirs{$_}" } keys %theirs) . "\n"
	  . "wal_level = logical\nmax_replication_slots = 4");
$new->restart;

my $dir = $old->data_dir;
my @source = ('-D', $dir, '--source-server=' . source_conninfo($new));
chmod 0400, "$dir/$file{first}" or die "chmod: $!";
chmod 0400, "$dir/$file{second}" or die "chmod: $!";
# pg_wal and global are written by every run, whatever the plan says.
my @closed = ("$dir/pg_xact", "$dir/pg_wal", "$dir/global", $dir);
chmod 0500, @closed or die "chmod: $!";
my $problems = qr/(?=.*could not write file "\S*\Q$file{first}\E": Permission denied)(?=.*could not write file "\S*\Q$file{second}\E")(?=.*could not write to directory "\S*pg_xact")/s;
$problems = qr/(?=.*could not write to directory "\Q$dir\E\/pg_wal")(?=.*could not write to directory "\Q$dir\E\/global")(?=.*could not write to directory "\Q$dir\E")$problems/s;
refused_ok('unwritable files and a directory', $dir, $problems, @source);
refused_ok('unwritable files and a directory, -n', $dir, $problems, @source, '-n');
# A slot that is not there is found at the same time.
refused_ok('and a missing slot, -n', $dir, qr/(?=.*replication slot "absent" does not exist on the source)$problems/s, @source, '-n', '--slot=absent');
chmod 0700, @closed;

# What cannot even be looked at ends the run earlier; all of it is told then, too, with what could not be written.
my $wal = "$dir/pg_wal/$last_wal";
my @hidden = ($wal, "$dir/pg_xact/0000", "$dir/$file{second}");
chmod 0, @hidden, "$dir/pg_multixact/members" or die "chmod: $!";
$problems = qr/(?=.*could not open directory "\S*pg_multixact\/members)(?=.*could not write file "\S*\Q$file{first}\E")/s;
$problems = qr/(?=.*could not read file "\Q$_\E": Permission denied)$problems/s for @hidden;
refused_ok('unreadable', $dir, $problems, @source);
refused_ok('unreadable, -n', $dir, $problems, @source, '-n');
refused_ok('unreadable, --mode=compare', $dir, $problems, @source, '-n', '--mode=compare');
# So it is where the source is the first to refuse.
(my $stranger = $source[2]) =~ s/user=failback_user/user=stranger/ or die 'no user';
(my $bare = $source[2]) =~ s/dbname=postgres/dbname=bare/ or die 'no database';
for my $row ([ 'no grant', $stranger, qr/permission denied|may not/ ], [ 'no extension', $bare, qr/extension "pg_failback"/ ],
	[ 'nobody there', '--source-server=host=127.0.0.1 port=1 dbname=postgres', qr/could not connect|Connection refused/ ])
{
	my ($what, $server, $message) = @$row;
	refused_ok("unreadable, and $what$_", $dir, qr/(?=.*error: [^\n]*$message)$problems/s, '-D', $dir, $server, split ' ') for ('', ' -n');
}
chmod 0700, "$dir/pg_multixact/members";
chmod 0600, @hidden, "$dir/$file{first}";

my ($succeeded, $output);
# -R adds to the target's own settings. Without it they need not be looked at.
my $settings = "$dir/postgresql.auto.conf";
append_to_file($settings, "# longer than the source's\n");
chmod 0, $settings or die "chmod: $!";
refused_ok("-R with unreadable settings, @$_", $dir, qr/target cannot be changed as planned.*could not open file "\Q$settings\E": Permission denied/s,
	@source, '-R', @$_)
  for (['-n'], []);
chmod 0600, $settings;
rename $settings, "$settings.own" or die "rename: $!";
symlink 'postgresql.auto.conf.own', $settings or die "symlink: $!";
refused_ok("-R with linked settings, @$_", $dir, qr/target cannot be changed as planned.*"\Q$settings\E" is a symbolic link, and -R does not write through it/s,
	@source, '-R', @$_)
  for (['-n'], []);
ok((run_tool(@source, '-n'))[0], 'linked settings, without -R');
rename "$settings.own", $settings or die "rename: $!";

refused_ok("a configuration file that is not there, @$_", $dir, qr/configuration file "\Q$dir\E.conf", given with --config-file, does not exist/,
	@source, "--config-file=$dir.conf", @$_)
  for (['-n'], []);
append_to_file($settings, "max_connections = many\n");
($succeeded, $output) = run_tool(@source, '-n');
ok($succeeded, 'settings that no server would take');
like($output, qr/warning: could not read the target's settings: .*invalid value for parameter "max_connections".*is not known/, 'and what follows');
truncate($settings, (-s $settings) - length("max_connections = many\n"));

$new->safe_psql('postgres', 'ALTER ROLE failback_user CONNECTION LIMIT 1');
refused_ok("a limit of connections, @$_", $dir,
	qr/role "failback_user" may have no more than 1 connections to the source and has 1, but this run would take 1 more|too many connections for role.*--jobs/s,
	@source, '--timeout=3', @$_)
  for (['-n'], []);
$new->safe_psql('postgres', 'ALTER ROLE failback_user CONNECTION LIMIT 2');
ok((run_tool(@source, '-n'))[0], 'a limit of connections that is enough');
$new->safe_psql('postgres', 'ALTER ROLE failback_user CONNECTION LIMIT -1');

# Somebody else's: readable, not writable. Only root can make them (.ci/step-down, where it steps down from root).
SKIP:
{
	my $foreign = $ENV{FOREIGN_OWNED};
	skip 'nobody else owns anything here', 6 if !defined $foreign || !-d $foreign || (stat "$foreign/file")[4] == $>;
	my $path = "$dir/$file{first}";
	rename $path, "$path.own" or die "rename: $!";
	rename "$foreign/file", $path or die "rename: $!";
	my $owned = qr/could not write file "\S*\Q$file{first}\E": Permission denied/;
	refused_ok('owned by somebody else', $dir, $owned, @source);
	refused_ok('owned by somebody else, -n', $dir, $owned, @source, '-n');
	rename $path, "$foreign/file" or die "rename: $!";
	rename "$path.own", $path or die "rename: $!";
}

my $before = fingerprint($dir);
($succeeded, $output) = run_tool(@source, '-n');
ok($succeeded, '-n');
is(join(' ', changed_files($before, fingerprint($dir))), '', '-n: nothing changed');
like($output, qr/would fetch [\d.]+ [kMG]?B/, '-n: bytes');
like($output, qr/\d+ files? written whole, \d+ blocks? of \d+ files? replaced, \d+ files? removed, \d+ files? kept/, '-n: files');
like($output, qr/warning: .*$_.*\b$ours{$_}\b.*\b$theirs{$_}\b.*$_ = $theirs{$_}\b/, "-n: $_ is too low, and the line to set is there") for sort keys %theirs;
like($output, qr/tablespace "pg_tblspc\/\d+" stays at "\Q$place\E\/old" \(on the source it is at "\Q$place\E\/new"\)/,
	"-n: a tablespace's place differs");
my ($would) = $output =~ /(\d+ blocks? of \d+ files? replaced)/;

# What the standby to come needs of the source.
($succeeded, $output) = run_tool(@source, '-n', '-R', '--slot=absent', '--create-slot');
ok($succeeded, '-n -R with a slot that is to be created');
like($output, qr/warning: role "failback_user" may not stream WAL.*need to copy/s, '-n -R: the role may not stream, told early');
is($new->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots WHERE NOT temporary'), '0', '-n: no slot was made');
for my $row ([ 'Invalid-Name', qr/"Invalid-Name" is no name for a replication slot/ ],
	[ 'absent', qr/replication slot "absent" does not exist on the source: create it there, or have it created with --create-slot/ ])
{
	my ($slot, $message) = @$row;
	refused_ok("--slot=$slot, -n", $dir, $message, @source, '-n', "--slot=$slot");
	refused_ok("--slot=$slot", $dir, $message, @source, "--slot=$slot");
}
$new->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('logical', 'pgoutput')");
$new->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('other')");
refused_ok('a logical slot, -n', $dir, qr/replication slot "logical" on the source is a logical one/, @source, '-n', '--slot=logical');
# The fourth is the one that keeps WAL for this run; those of earlier runs go with their sessions.
my $idle = 'SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE temporary OR active)';
$new->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('third')");
$new->poll_query_until('postgres', $idle) or die 'the slots of earlier runs stay';
refused_ok('one slot too many, -n', $dir, qr/replication slot "absent" cannot be created/, @source, '-n', '--slot=absent', '--create-slot');
$new->poll_query_until('postgres', $idle) or die 'the slots of earlier runs stay';
$new->safe_psql('postgres', "SELECT pg_drop_replication_slot('third')");
($succeeded, $output) = run_tool(@source, '-n', '--slot=other');
ok($succeeded, '-n with a slot that exists');
my $receiver = IPC::Run::start([ 'pg_receivewal', '-D', $place, '-d', $new->connstr, '-S', 'other' ], '<', \undef, '>', \my $received, '2>&1');
$new->poll_query_until('postgres', "SELECT active FROM pg_replication_slots WHERE slot_name = 'other'") or die 'nobody uses the slot';
refused_ok('a slot in use, -n', $dir, qr/replication slot "other" on the source is in use/, @source, '-n', '--slot=other');
$receiver->kill_kill;
$receiver->finish;
$new->poll_query_until('postgres', $idle) or die 'a slot is still in use';
$new->safe_psql('postgres', 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');

# Too little space: on a small file system of our own, which a user namespace allows to have.
SKIP:
{
	my $small = "$place/small";
	mkdir $small;
	# Outside it is this user, inside root first, and then this user again.
	my $user = $>;
	my @inside = ('unshare', '--map-root-user', '--mount', 'sh', '-c');
	my $again = "exec unshare --user --map-user=$user --map-group=$user \"\$@\"";
	skip 'no user namespaces here', 4
	  if system("unshare --map-root-user --mount sh -c 'mount -t tmpfs none $small && unshare --user --map-user=$user true' >/dev/null 2>&1") != 0;
	my $size = int((split ' ', `du -sk $dir`)[0] / 1024) + 4;
	my $messages = '';
	my @run = (tool(), '-D', "$small/data", $source[2]);
	my $ok = IPC::Run::run([ @inside, "mount -t tmpfs -o mode=0777,size=${size}M none $small && cp -a $dir $small/data && chmod 0400 $small/data/$file{first} && $again", 'sh', @run ],
		'<', \undef, '>', \$messages, '2>&1');
	note($messages);
	ok(!$ok, 'too little space: the run fails');
	like($messages, qr/not enough space below "\Q$small\E\/data[^"]*": \d+ MB needed, [\d.]+ [kM]B available/, 'too little space: its message');
	like($messages, qr/could not write file "\S*\Q$file{first}\E": Permission denied/, 'too little space: and a file that cannot be written');
	unlike($messages, qr/No space left on device/, 'too little space: found before it was used up');
}

$old->append_conf('postgresql.conf', join("\n", map { "$_ = $theirs{$_}" } keys %theirs));
$output = failback_ok($old, $new, twin => 1);
my ($did) = $output =~ /(\d+ blocks? of \d+ files? replaced)/;
is($did, $would, 'it did what -n had said');
unlike($output, qr/max_(?!wal_size)/, 'the settings are right now');
ends_equal($old, $new);

done_testing();
