# Two servers of one history do different random work; the one comes back from the other, by WAL and by comparing, on
# copies of the same directory. Then all rows, every index and every page must be right, and unlogged tables empty.
# PROPERTY_ROUNDS=n for more rounds than the two that are run otherwise, PROPERTY_SEED=n to repeat: round i has the seed n + i.
# No twin by pg_rewind: the tablespaces of this work are in place, which pg_rewind 15 does not know, and much of it is
# compared for reasons that make it give up.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RandomWork;
use Test::More;

plan skip_all => 'pg_rewind knows no comparing' if is_pg_rewind();

my $rounds = $ENV{PROPERTY_ROUNDS} || 2;
my $first_seed = $ENV{PROPERTY_SEED} // time() % 1_000_000;
diag("PROPERTY_SEED=$first_seed PROPERTY_ROUNDS=$rounds");
my %ways;
my %work = (statements => 0, logs => []);

# Starts a psql that does this work, failing statements included.
sub start_work
{
	my ($node, @work) = @_;
	my $database = '';
	my $text = "SET client_min_messages = warning;\n";
	for (@work)
	{
		$text .= "\\c $_->[0]\n" if $_->[0] ne $database;
		$database = $_->[0];
		$text .= "$_->[1];\n";
	}
	my $path = write_sql($text);
	$work{statements} += @work;
	push @{ $work{logs} }, "$path.log";
	return IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-f', $path ],
		'<', \undef, '>', '/dev/null', '2>', "$path.log");
}

# Two sessions at a time. A session whose server goes away ends; that is not what is tested here.
sub work { my ($node, $count, %option) = @_; return map { start_work($node, random_work($count, %option)) } (1, 2); }
sub finish { IPC::Run::finish($_) for @_; return; }

sub databases_of { return split /\n/, $_[0]->safe_psql('postgres', 'SELECT datname FROM pg_database WHERE datallowconn'); }

# Large objects, and what sequences have not handed out: a standby may be ahead of its primary by what was reserved.
sub same_large_objects_and_sequences
{
	my ($standby, $primary) = @_;
	my @sequences;
	for my $node ($standby, $primary)
	{
		my %seen;
		for my $database (databases_of($node))
		{
			my $query = $node->safe_psql($database, "SELECT string_agg(format('SELECT %L, last_value FROM %s', oid::regclass, oid::regclass), ' UNION ALL ')"
				  . " FROM pg_class WHERE relkind = 'S' AND relpersistence = 'p' AND relnamespace = 'public'::regnamespace");
			next if $query eq '';
			/^(\S+)\|(\d+)$/ and $seen{"$database $1"} = $2 for split /\n/, $node->safe_psql($database, $query);
		}
		push @sequences, \%seen;
	}
	is(join(' ', sort keys %{ $sequences[0] }), join(' ', sort keys %{ $sequences[1] }), 'the same sequences');
	is(join(' ', grep { ($sequences[0]{$_} // 0) < $sequences[1]{$_} } sort keys %{ $sequences[1] }), '', 'no sequence is behind');
	my $objects = 'SELECT count(*), sum(hashtext(loid::text || pageno || md5(data))::bigint) FROM pg_largeobject';
	is($standby->safe_psql('postgres', $objects), $primary->safe_psql('postgres', $objects), 'the same large objects');
	return;
}

# Every kind of index finds what its table has.
sub indexes_agree
{
	my ($node) = @_;
	my @bad;
	for my $database (databases_of($node))
	{
		my @tables = split /\n/, $node->safe_psql($database,
			"SELECT relname FROM pg_class WHERE relname ~ '^t[0-9]' AND relkind = 'r' AND relpersistence = 'p'");
		my @queries = map { my $table = $_; map { s/TABLE_NAME/$table/gr } index_checks() } @tables;
		next if !@queries;
		my $all = join('', map { "$_;\n" } @queries);
		my @found = split /\n/, $node->safe_psql($database, "SET enable_seqscan = off; $all SET enable_indexscan = off;"
			  . " SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SET enable_seqscan = on; $all");
		push @bad, map { "$database: $queries[$_]: $found[$_], not $found[$_ + @queries]" }
		  grep { $found[$_] ne $found[ $_ + @queries ] } (0 .. $#queries);
	}
	is(join("\n", @bad), '', 'every index finds what its table has, on ' . $node->name);
	return;
}

# A node of its own with a copy of this one's directory.
my $copies = 0;
sub copy_of
{
	my ($node) = @_;
	my $copy = PostgreSQL::Test::Cluster->new('copy_' . ++$copies);
	mkdir $copy->basedir;
	system_or_bail('cp', '-a', $node->data_dir, $copy->data_dir);
	mkdir $copy->backup_dir;
	mkdir $copy->archive_dir;
	$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'");
	return $copy;
}

# Brings `target` back from `source` and looks at everything.
sub comes_back
{
	my ($what, $target, $source, %option) = @_;
	my @options = (@{ $option{options} // [] }, '--jobs=' . (1 + int(rand(4))), '--compress=' . ('none', 'lz4', 'zstd')[ rand(3) ]);
	# Sometimes it is brought back before: not started then, or started and gone at once.
	my $before = rand();
	if ($before < 0.3)
	{
		my $started = $before < 0.15;
		defined failback_ok($target, $source, standby_settings => '-R', options => \@options, compares => 1, start => $started)
		  or BAIL_OUT("$what: failback failed");
		finish(work($source, 5));
		$target->stop('immediate') if $started;
	}
	# Without databases: while one is copied or moved file by file, a failback is refused.
	my @busy = $option{busy} ? map { start_work($source, grep { $_->[1] !~ /DATABASE/ } random_work(25)) } (1, 2) : ();
	my $output = failback_ok($target, $source, standby_settings => '-R', options => \@options, compares => 1);
	finish(@busy);
	defined $output or BAIL_OUT("$what: failback failed");
	my $way = $output =~ /comparing contents, because (.*)/ ? $1 =~ s/[0-9A-F]+\/[0-9A-F]+/LSN/gr
	  : $output =~ /no rewind required/ ? 'no rewind' : $option{options} ? 'compare' : 'wal';
	$ways{$way}++;
	wait_streaming($target, $source);
	same_large_objects_and_sequences($target, $source);
	indexes_agree($target);
	ends_equal($target, $source, no_checksums => $option{no_checksums});
	return;
}

srand($first_seed);
my $checksums = rand() < 0.7;
my $source = start_primary('one', checksums => $checksums, initdb => ['--wal-segsize=1'],
	conf => "allow_in_place_tablespaces = on\nshared_buffers = 8MB\njit = off\nwal_compression = on\n"
	  . "max_prepared_transactions = 20\nmax_locks_per_transaction = 256\nwal_log_hints = on\nautovacuum_vacuum_threshold = 500\n");
$source->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
finish(start_work($source, initial_work()));
my $target;
my $standby = add_standby('two', $source);

for my $round (1 .. $rounds)
{
	my $seed = $first_seed + $round;
	srand($seed);
	note("round $round of $rounds: seed $seed");
	($target, $source) = ($source, $standby);
	my @early = work($target, 15);
	finish(@early) if rand() < 0.7; # otherwise the standby is promoted in the midst of it
	promote($source);
	finish(@early);
	# What replay makes of such pages is compared with what the source had. Not of hash indexes: their records name pages
	# that they do not restore, and replay stops there if a later record drops the index, whose file is then not copied.
	my $checked = (('') x 3, 'heap, heap2', 'btree', 'gin, gist', 'spgist, brin, sequence')[ rand(7) ];
	$source->safe_psql('postgres', "ALTER SYSTEM SET wal_consistency_checking = '$checked'");
	$source->safe_psql('postgres', 'SELECT pg_reload_conf()');
	my %option = (file_copy => rand() < 0.2);
	my $parts = rand() < 0.4 ? 2 : 1;
	for my $part (1 .. $parts)
	{
		finish(work($target, 25, %option), work($source, 25, %option));
		for my $node (grep { $part < $parts && rand() < 0.5 } ($target, $source))
		{
			$node->stop(rand() < 0.5 ? 'immediate' : 'fast');
			$node->start;
		}
	}
	$target->stop(rand() < 0.5 ? 'immediate' : 'fast');
	my $busy = rand() < 0.5;
	my $copy = copy_of($target);
	comes_back("round $round, compare", $copy, $source, options => ['--mode=compare'], busy => $busy, no_checksums => !$checksums);
	comes_back("round $round, auto", $target, $source, busy => $busy, no_checksums => !$checksums);

	# The copy is to become a primary of its own: its unlogged tables are empty, and it can be written to.
	$copy->start;
	promote($copy);
	for my $database (databases_of($copy))
	{
		my $query = $copy->safe_psql($database, "SELECT string_agg(format('SELECT count(*) FROM %s', oid::regclass), ' UNION ALL ')"
			  . " FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'");
		is(join('', grep { $_ } split /\n/, $query eq '' ? '' : $copy->safe_psql($database, $query)), '', "unlogged tables are empty in $database");
	}
	finish(work($copy, 10));
	$copy->stop('fast');
	command_ok([ 'pg_checksums', '--check', '-D', $copy->data_dir ], 'and its pages are good') if $checksums;
	system_or_bail('rm', '-rf', $copy->data_dir);

	$source->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
	$source->safe_psql('postgres', 'SELECT pg_reload_conf()');
	# Prepared transactions that nobody finishes hold back everything.
	$source->safe_psql($_->[0], "ROLLBACK PREPARED '$_->[1]'")
	  for map { [ split /\|/ ] } split /\n/, $source->safe_psql('postgres', 'SELECT database, gid FROM pg_prepared_xacts');
	$target->start;
	wait_streaming($target, $source) or BAIL_OUT("round $round: seed $seed");
	$standby = $target;
	last if !Test::More->builder->is_passing;
}
diag(join('; ', map { "$ways{$_} x $_" } sort keys %ways));
my $failed = 0;
$failed += () = slurp_file($_) =~ /ERROR:/g for grep { -e } @{ $work{logs} };
cmp_ok($failed, '<', $work{statements} / 2, "most of $work{statements} random statements do something");
$_->stop('fast') for ($standby, $source);
done_testing();
