# The vocabulary of the failback scenes: servers that are born, promoted, torn apart and brought together.
#
# A scene reads as a story: start_primary, add_standby, promote, both sides write, failback_ok,
# ends_equal. The tool under test is pg_failback; FAILBACK_TOOL=pg_rewind runs the same scenes with
# pg_rewind, which shows whether a scene has teeth (is_pg_rewind() says which one it is).
# A condition that does not come true within PG_TEST_TIMEOUT_DEFAULT seconds (120 here) ends the scene.
package FailbackTest;

use strict;
use warnings;

use Exporter 'import';
use Digest::MD5;
use Fcntl ();
use File::Find;
use IPC::Run ();

BEGIN
{
	# Room for a busy machine; what fails, fails late.
	$ENV{PG_TEST_TIMEOUT_DEFAULT} ||= 120;
	$ENV{PGCTLTIMEOUT} ||= 180;
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use Twin qw(keep_twin adopt_twin same_files_ok rewind_twin twin_of start_twin twin_equal_ok);

our @EXPORT = qw(
  start_primary add_standby promote wait_streaming
  create_upsert_table upsert upsert_start pgbench_start pgbench_finish write_sql
  tool is_pg_rewind source_conninfo run_tool failback failback_slowly failback_ok
  cut_off needed_or_skip same_rows ends_equal fingerprint changed_files refused_ok controldata files_below wait_until
  timeline_of last_wal_file stop_clean flip_bit keep_twin adopt_twin rewind_twin same_files_ok
);

# Every scene sees these; a scene may append its own.
my $base_conf = <<'CONF';
log_statement = none
shared_buffers = 128MB
max_connections = 60
max_wal_size = 2GB
wal_keep_size = 1GB
autovacuum_naptime = 30s
checkpoint_timeout = 1h
jit = off
CONF

# The program under test, by name; it is found in PATH (PostgreSQL's bindir comes first).
sub tool { return $ENV{FAILBACK_TOOL} || 'pg_failback'; }
sub is_pg_rewind { return tool() =~ /pg_rewind/; }

# start_primary(NAME, checksums => 1, conf => '', extension => 1, initdb => []): a running primary with the
# extension, and the role failback_user that may use it and nothing else.
sub start_primary
{
	my ($name, %option) = @_;
	my $checksums = $option{checksums} // 1;
	my @extra = ($checksums ? ('-k') : (), @{ $option{initdb} // [] });
	my $node = PostgreSQL::Test::Cluster->new($name);

	# 18 made checksums the default.
	push @extra, '--no-data-checksums' if !$checksums && $node->pg_version >= 18;
	init_from_copy($node, @extra);
	$node->append_conf('postgresql.conf', $base_conf . ($option{conf} // ''));
	$node->start;
	# Databases made from template1 later have it too; on a standby it could no longer be created.
	$node->safe_psql($_, 'CREATE EXTENSION amcheck') for ('template1', 'postgres');
	$node->safe_psql('postgres', 'CREATE ROLE failback_user LOGIN');
	if (($option{extension} // 1) && !is_pg_rewind())
	{
		$node->safe_psql('postgres',
			"CREATE EXTENSION pg_failback; SELECT pg_failback_grant('failback_user')");
	}
	return $node;
}

my $copied_from;

# initdb, with these options. The scenes of a run take turns in copying what the first of them has made, which
# costs a fraction of initdb. A second cluster of the same scene is made anew, with a system identifier of its own.
sub init_from_copy
{
	my ($node, @extra) = @_;
	my $initdb = \&PostgreSQL::Test::Utils::system_or_bail;
	my $place_of_all = $ENV{TESTDATADIR} // '';
	my $made = "$place_of_all/initdb-" . Digest::MD5::md5_hex("@extra");
	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		my (@command) = @_;
		my ($place) = grep { $command[$_] eq $node->data_dir } 0 .. $#command;
		return $initdb->(@command) if $command[0] ne 'initdb' || !defined $place || $copied_from++ || !-d $place_of_all;
		open my $lock, '>', "$made.lock" or die "could not open $made.lock: $!";
		flock($lock, Fcntl::LOCK_EX()) or die "could not lock $made.lock: $!";
		if (!-d $made)
		{
			$command[$place] = "$made.part";
			$initdb->(@command);
			rename "$made.part", $made or die "could not rename $made.part: $!";
		}
		return $initdb->('cp', '-a', '--reflink=auto', $made, $node->data_dir);
	};
	$node->init(allows_streaming => 1, extra => \@extra);
	return;
}

# A standby of `upstream` (a primary or another standby), streaming.
sub add_standby
{
	my ($name, $upstream, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my @slot = $option{slot} ? ('-C', '-S', $option{slot}) : ();

	command_ok(
		[
			'pg_basebackup', '-D', $node->data_dir, '-h', $upstream->host, '-p', $upstream->port,
			'-c', 'fast', '-X', 'stream', '--no-sync', @slot, @{ $option{options} // [] }
		],
		"base backup of " . $upstream->name . " for $name");
	mkdir $node->backup_dir;
	mkdir $node->archive_dir;
	$node->append_conf('postgresql.conf',
		    'port = ' . $node->port
		  . "\nunix_socket_directories = '" . $node->host . "'\n"
		  . "primary_conninfo = '" . $upstream->connstr . "'\n"
		  . ($option{slot} ? "primary_slot_name = '$option{slot}'\n" : '')
		  . ($option{conf} // ''));
	$node->append_conf('standby.signal', '');
	$node->start;
	wait_streaming($node, $upstream);
	return $node;
}

# Waits until `standby` streams and has replayed all that `upstream` has now. The standby itself looks: a psql for every look
# costs more than what it waits for.
sub wait_streaming
{
	my ($standby, $upstream) = @_;
	my $position = $upstream->safe_psql('postgres',
		'SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END');
	# Nothing is to hold a snapshot meanwhile: replay might wait for that.
	my $looking = <<"SQL";
DO \$\$
BEGIN
	WHILE NOT (EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming') AND pg_last_wal_replay_lsn() >= '$position') LOOP
		COMMIT;
		PERFORM pg_sleep(0.05);
	END LOOP;
END
\$\$
SQL
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my ($status, $output, $errors) = (2, '', '');
	while ((my $left = $deadline - time) > 0)
	{
		($status, $output, $errors) = $standby->psql('postgres', "SET statement_timeout = '${left}s'; $looking");
		return 1 if $status == 0;
		last if $errors =~ /statement timeout/;
		# It takes no connections yet, or replay had to end this one.
		usleep(100_000);
	}
	diag($standby->name . " does not stream up to $position: $errors");
	return 0;
}

sub promote
{
	my ($standby) = @_;
	$standby->promote;
	$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
	  or die $standby->name . ' was not promoted';
	return;
}

sub stop_clean { $_->stop('fast') for @_; return; }

# Flips one bit of the byte at this offset, in the middle of the file if none is given.
sub flip_bit
{
	my ($path, $offset) = @_;
	$offset //= int((-s $path) / 2);
	open my $file, '+<:raw', $path or die "could not open $path: $!";
	seek $file, $offset, 0;
	read $file, my $byte, 1;
	seek $file, $offset, 0;
	print $file chr(ord($byte) ^ 0x10);
	close $file;
	return;
}

# needed_or_skip(HAS IT, NAME, what it is): what a scene needs of the machine, 'strace' or 'namespaces'. Where all is meant to be
# tested (CI is set), it is a failure not to have it, unless .ci/run has said so in FAILBACK_LACKS; elsewhere the scene is
# skipped. Before the first test.
sub needed_or_skip
{
	my ($there, $name, $what) = @_;
	return if $there;
	$what =~ s/\s+/ /g;
	plan(skip_all => "needs $what") if !$ENV{CI} || grep { $_ eq $name } split / /, $ENV{FAILBACK_LACKS} // '';
	plan(tests => 1);
	fail("this machine has $what");
	exit 1;
}

# Polls a condition of ours for up to the harness's default timeout.
sub wait_until
{
	my ($what, $condition) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		usleep(100_000);
	}
	die "timed out waiting until $what";
}

# --- Work that servers do ---

# Deletes the rows, at the end of the table, that the condition chooses, and has VACUUM cut them off, to half of the table's
# size or less if no more is said (bytes). Not every VACUUM does: one page that another process of the server has pinned stays,
# with all before it, and the next passes it over, as dead items in under 2 % of the pages are not worth a scan of the indexes.
sub cut_off
{
	my ($node, $table, $condition, $size) = @_;
	my $now = sub { $node->safe_psql('postgres', "SELECT pg_relation_size('$table')") };
	$size //= int($now->() / 2);
	$node->safe_psql('postgres', "DELETE FROM $table WHERE $condition");
	wait_until("$table of " . $node->name . " is cut to $size bytes", sub {
		note(($node->psql('postgres', "VACUUM (INDEX_CLEANUP ON, VERBOSE) $table"))[2]);
		return $now->() <= $size;
	});
	return;
}

# The workload that the literature on failback uses: a table of up to 5,000,000 ids, and an upsert.
sub create_upsert_table
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE test (id int PRIMARY KEY, info text, crt_time timestamp);
CREATE FUNCTION upsert(v_id int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO test VALUES (v_id, md5(random()::text), clock_timestamp())
	ON CONFLICT (id) DO UPDATE SET info = excluded.info, crt_time = excluded.crt_time
$$;
SQL
	return;
}

my $script_number = 0;

# Writes a pgbench script into the test's own directory and returns its path.
sub write_sql
{
	my ($text) = @_;
	my $path = $PostgreSQL::Test::Utils::tmp_check . "/script_$$." . ++$script_number . '.sql';
	open my $file, '>', $path or die "could not create $path: $!";
	print $file $text;
	close $file;
	return $path;
}

# Starts pgbench in the background.
sub pgbench_start
{
	my ($node, @arguments) = @_;
	my $job = { output => '', node => $node->name };
	$job->{handle} = IPC::Run::start(
		[ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, @arguments, 'postgres' ],
		'<', \undef, '>', \$job->{output}, '2>&1');
	return $job;
}

sub pgbench_finish
{
	my ($job) = @_;
	ok(IPC::Run::finish($job->{handle}), "pgbench on $job->{node}") or diag($job->{output});
	return;
}

# 16 clients upsert at the same time, `transactions` each, in the background; 4 do the work of 16 where it is so little that
# connecting costs more.
sub upsert_start
{
	my ($node, $transactions) = @_;
	my $script = write_sql("\\set id random(1, 5000000)\nSELECT upsert(:id);\n");
	my ($clients, $each) = $transactions < 100 ? (4, 4 * $transactions) : (16, $transactions);
	return pgbench_start($node, '-c', $clients, '-j', 2, '-t', $each, '-f', $script);
}

sub upsert { return pgbench_finish(upsert_start(@_)); }

# --- The failback ---

# What --source-server gets: the role that owns nothing but its grant. pg_rewind needs a superuser.
sub source_conninfo
{
	my ($source, $dbname) = @_;
	return join(' ', 'host=' . $source->host, 'port=' . $source->port,
		(is_pg_rewind() ? () : 'user=failback_user'), 'dbname=' . ($dbname // 'postgres'));
}

# Runs the tool with these arguments; (succeeded, everything it printed, exit status).
sub run_tool
{
	my (@arguments) = @_;
	my $output = '';
	note(join(' ', tool(), @arguments));
	my $succeeded = IPC::Run::run([ tool(), @arguments ], '<', \undef, '>', \$output, '2>&1');
	my $status = $?;
	note($output);
	return ($succeeded, $output, $status >> 8);
}

# failback(TARGET, SOURCE, options...): the tool on a target's data directory.
sub failback
{
	my ($target, $source, @options) = @_;
	return run_tool('-D', $target->data_dir, '--source-server=' . source_conninfo($source), @options);
}

# failback_slowly(TARGET, SOURCE, \OUTPUT, options...): starts the tool in the background and returns when something has been
# copied. The caller does what is to happen meanwhile and finishes the handle that is returned.
sub failback_slowly
{
	my ($target, $source, $output, @options) = @_;
	my $staging = $target->data_dir . '/pg_failback.staging';
	my $run = IPC::Run::start(
		[ tool(), '-D', $target->data_dir, '--source-server=' . source_conninfo($source), '--max-rate=1M', '-j', '1', @options ],
		'<', \undef, '>', $output, '2>&1');
	wait_until('something is being copied', sub {
		$run->pump_nb;
		die "the tool has ended: $$output" unless $run->pumpable;
		my $bytes = 0;
		# Names come and go.
		eval { $bytes += -s "$staging/$_" // 0 for files_below($staging); 1 } or return 0;
		return $bytes > 100_000;
	});
	return $run;
}

# failback_ok(TARGET, SOURCE, standby_settings => 'ours' or '-R', options => [], start => 1, like => regex,
# no_rewind => 1 if the target is a plain ancestor, compares => 1 if WAL does not tell, twin => 1 or [options]: what
# pg_rewind makes of a copy of the same target is compared in ends_equal; primary => what a standby as source follows)
#
# Stops the target if it runs, fails it back, and starts it as a standby of the source. With -R the tool
# writes the standby settings, and its role becomes the one that streams; otherwise we write them and the
# role is left with no right but its grant.
sub failback_ok
{
	my ($target, $source, %option) = @_;
	my $with_R = ($option{standby_settings} // 'ours') eq '-R';
	my @options = @{ $option{options} // [] };
	my $conf_path = $target->data_dir . '/postgresql.conf';
	my $own_conf = slurp_file($conf_path);

	if ($with_R)
	{
		push @options, '-R';
		$source->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION')
		  if $source->safe_psql('postgres', 'SELECT NOT pg_is_in_recovery()') eq 't';
	}
	$target->stop('fast');
	my $with_twin = $option{twin} && !is_pg_rewind();
	keep_twin($target) if $with_twin && !twin_of($target);
	# pg_rewind 15 goes by the source's control file; only where a scene is about that, it is left alone.
	$source->safe_psql('postgres', 'CHECKPOINT') if is_pg_rewind() && !$option{unprepared};
	my ($succeeded, $output) = failback($target, $source, @options);
	ok($succeeded, 'failback of ' . $target->name . ' from ' . $source->name) or do { diag($output); return; };
	like($output, $option{like}, 'its messages') if $option{like};
	like($output, qr/servers diverged at WAL location/, 'says where the servers diverged')
	  unless $option{no_rewind} || $option{compares};
	# Comparing is right too, but slower: a scene says where it is expected.
	unlike($output, qr/comparing contents/, 'goes by WAL')
	  unless $option{compares} || ($option{like} && "$option{like}" =~ /comparing/);
	if ($with_twin)
	{
		my $said = rewind_twin($target, $source, $option{primary}, ref $option{twin} ? @{ $option{twin} } : ());
		like($said, $option{no_rewind} ? qr/no rewind required/ : qr/servers diverged at/, 'pg_rewind says so too');
	}
	if (is_pg_rewind())
	{
		open my $file, '>', $conf_path or die "could not open $conf_path: $!";
		print $file $own_conf;
		close $file;
	}
	else
	{
		is(slurp_file($conf_path), $own_conf, 'postgresql.conf is still the one of ' . $target->name);
	}
	if ($with_R)
	{
		ok(-e $target->data_dir . '/standby.signal', '-R wrote standby.signal');
		my $port = $source->port;
		like(slurp_file($target->data_dir . '/postgresql.auto.conf'),
			qr/^primary_conninfo = .*port=$port/m, '-R wrote primary_conninfo');
	}
	else
	{
		$target->append_conf('postgresql.conf', "primary_conninfo = '" . $source->connstr . "'");
		$target->append_conf('standby.signal', '');
	}
	if ($option{start} // 1)
	{
		# Without fail_ok a server that does not start ends the whole run, not just this scene.
		$target->start(fail_ok => 1) or die $target->name . " does not start as a standby";
		ok(wait_streaming($target, $source), $target->name . ' streams from ' . $source->name)
		  or die 'nothing after this makes sense; see ' . $target->logfile;
	}
	return $output;
}

# --- What must be true afterwards ---

# "table count hash" of every permanent table and materialized view of every database.
sub _rows_of
{
	my ($node) = @_;
	my %rows;
	my @databases = split /\n/, $node->safe_psql('postgres',
		'SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1');
	# One psql for all of them.
	my $connect = sub { my ($i) = @_; return '\connect "' . $databases[$i] =~ s/"/""/gr . "\"\n\\echo database $i\n"; };
	my $result = $node->safe_psql('postgres', join('', map { $connect->($_) . <<'SQL' } 0 .. $#databases));
SELECT format('SELECT %L, count(*), sum(hashtext(t::text)::bigint) FROM %s t', c.oid::regclass::text, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname !~ '^(pg_|information_schema)' \gexec
SQL
	for my $part (split /^database /m, $result)
	{
		my ($i, @lines) = split /\n/, $part;
		$rows{ $databases[$i] } = join("\n", sort @lines) if defined $i;
	}
	die 'not all databases of ' . $node->name . ' were read' if keys %rows != @databases;
	return \%rows;
}

# Row counts and sum(hashtext(t::text)) are equal for every table of every database.
sub same_rows
{
	my ($standby, $primary) = @_;
	return is_deeply(_rows_of($standby), _rows_of($primary),
		'every table has the same rows on ' . $standby->name . ' and ' . $primary->name);
}

my $arrivals = 0;

# The end of every scene: new rows arrive, all rows are equal, indexes agree with their tables, and the
# stopped standby's pages have good checksums. Leaves the standby stopped. A twin that failback_ok has made has the same rows and
# blocks; twin_differs => regex names the files where pg_rewind's are known to be others.
sub ends_equal
{
	my ($standby, $primary, %option) = @_;
	my $mark = 'arrival_' . ++$arrivals;
	my $state = $primary->safe_psql('postgres', 'SELECT pg_is_in_recovery()');
	my $writer = $option{writer} // $primary;
	my $twin = twin_of($standby);
	$twin = undef if $twin && !$twin->{rewound};

	start_twin($standby) if $twin;
	$writer->safe_psql('postgres',
		"CREATE TABLE $mark AS SELECT i, md5(i::text) AS t FROM generate_series(1, 1000) i; CREATE INDEX ON $mark (i)");
	wait_streaming($primary, $writer) if $state eq 't';
	ok(wait_streaming($standby, $primary), $standby->name . ' still streams');
	is($standby->safe_psql('postgres', "SELECT count(*) FROM $mark"), '1000', 'new rows arrive');
	same_rows($standby, $primary);
	if ($twin)
	{
		ok(wait_streaming($twin->{node}, $primary), "pg_rewind's standby streams");
		same_rows($twin->{node}, $standby) unless $option{twin_differs};
	}
	command_ok(
		[
			'pg_amcheck', '-h', $standby->host, '-p', $standby->port, '--all', '--heapallindexed',
			'--jobs=2'
		],
		'pg_amcheck finds nothing on ' . $standby->name);
	is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', $standby->name . ' is a standby');
	if ($twin) { twin_equal_ok($standby, $primary, $writer, $option{twin_differs}); }
	else { $standby->stop('fast'); }
	command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ],
		'pg_checksums finds nothing on ' . $standby->name)
	  unless $option{no_checksums};
	return;
}

# --- Looking at data directories ---

# Relative path => what it is, for everything below a directory; links are followed only for pg_wal and
# tablespaces, so that a change behind them is seen.
sub fingerprint
{
	my ($root) = @_;
	my %seen;
	my $look = sub {
		my $path = $File::Find::name;
		my @stat = lstat($path) or return;
		(my $name = $path) =~ s/^\Q$root\E\/?//;
		my $mode = sprintf('%04o', $stat[2] & 07777);
		if (-l _) { $seen{$name} = 'link ' . readlink($path); }
		elsif (-d _) { $seen{$name} = "directory $mode"; }
		elsif (-f _)
		{
			$seen{$name} = "file $mode $stat[7] $stat[9] " . digest_of($path, @stat);
		}
		else { $seen{$name} = "special $mode"; }
	};
	my @roots = ($root, grep { -l $_ } "$root/pg_wal", glob("$root/pg_tblspc/*"));
	find({ wanted => $look, no_chdir => 1, follow => 0 }, map { -l $_ ? "$_/." : $_ } @roots);
	return \%seen;
}

my %digests;

# MD5 of a file's content; '-' if it cannot be read, which leaves its size and time. Read again only if it may have changed since:
# its ctime is set by the kernel at every change, to the second here, so that the last two seconds are not trusted.
sub digest_of
{
	my ($path, @stat) = @_;
	my $state = join ' ', @stat[0, 1, 7, 9, 10];
	my $known = $digests{$path};
	return $known->{digest} if $known && $known->{state} eq $state;
	my $now = time;
	my $digest = '-';
	if (open my $file, '<:raw', $path)
	{
		$digest = Digest::MD5->new->addfile($file)->hexdigest;
		close $file;
		if ($stat[10] < $now - 2) { $digests{$path} = { state => $state, digest => $digest }; }
		else { delete $digests{$path}; }
	}
	return $digest;
}

# Names that differ between two fingerprints.
sub changed_files
{
	my ($before, $after) = @_;
	my %names = map { $_ => 1 } keys %$before, keys %$after;
	return grep { ($before->{$_} // 'absent') ne ($after->{$_} // 'absent') } sort keys %names;
}

# refused_ok(WHAT, DIRECTORY or undef, REGEX, arguments...): the tool fails with 1, says so, changes nothing.
sub refused_ok
{
	my ($what, $directory, $pattern, @arguments) = @_;
	my $before = defined $directory ? fingerprint($directory) : undef;
	my ($succeeded, $output, $status) = run_tool(@arguments);
	is($status, 1, "$what: exit status 1");
	like($output, $pattern, "$what: its message");
	if (defined $directory)
	{
		my @changed = changed_files($before, fingerprint($directory));
		is("@changed", '', "$what: nothing changed");
	}
	return;
}

# One value that pg_controldata prints.
sub controldata
{
	my ($node, $label) = @_;
	my ($stdout) = run_command([ 'pg_controldata', $node->data_dir ]);
	return $stdout =~ /^\Q$label\E:\s*(.*)$/m ? $1 : undef;
}

# The timeline that a running server is on, whatever its control file says.
sub timeline_of
{
	my ($node) = @_;
	return hex(substr($node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())'), 0, 8));
}

sub last_wal_file
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
}

# Regular files below a directory, relative to it, sorted.
sub files_below
{
	my ($root) = @_;
	my @names;
	find({ wanted => sub { push @names, substr($File::Find::name, length($root) + 1) if -f $_ }, no_chdir => 1 }, $root);
	return sort @names;
}

1;
