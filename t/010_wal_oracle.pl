# Our WAL reader against the oracle: on real WAL of every kind of work, our records and block references
# equal those of pg_waldump, all of them, to the same end; and what scan and checkpoint search make of them
# equals what a plain reading of pg_waldump's lines gives.
# No twin by pg_rewind: nothing is failed back: pg_waldump is what is compared with.
use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $pg_config = $ENV{PG_CONFIG} || "pg_config";
my ($major) = `$pg_config --version` =~ /(\d+)/;
my $wal_dump = $ENV{WAL_DUMP} || dirname(__FILE__) . "/../build/helper-$major/wal_dump";
-x $wal_dump or BAIL_OUT("$wal_dump is not there: make -C helper first");

my %rmgr_id;
{
	my @names = grep { /\S/ } split /\n/, `pg_waldump --rmgr=list`;
	s/^\s+|\s+$//g for @names;
	$rmgr_id{ $names[$_] } = $_ for 0 .. $#names;
}

sub lsn_value { my ($high, $low) = split m{/}, $_[0]; return hex($high) * 2**32 + hex($low); }
sub lsn_text { return sprintf '%X/%X', int($_[0] / 2**32), $_[0] % 2**32; }

# The arguments that tell wal_dump which cluster it reads.
sub cluster_arguments
{
	my ($node, @timelines) = @_;
	my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
	my ($system) = $control =~ /^Database system identifier:\s+(\d+)/m;
	my ($segment) = $control =~ /^Bytes per WAL segment:\s+(\d+)/m;
	@timelines = ('1') unless @timelines;
	return ("--path=" . $node->data_dir . "/pg_wal", "--system-identifier=$system", "--segment-size=$segment",
		map { "--timeline=$_" } @timelines);
}

# One record a line as wal_dump prints it; "desc" kept apart, for the scan.
sub parse_oracle_line
{
	my ($line) = @_;
	$line =~ m{^rmgr:\s(\S+)\s+len\s\(rec/tot\):\s+(\d+)/\s*(\d+),\stx:\s+(\d+),\slsn:\s(\S+),\sprev\s(\S+),\sdesc:\s
		(.*?)((?:,\sblkref\s\#\d+:\srel\s\S+(?:\sfork\s\S+)?\sblk\s\d+(?:\sFPW(?:\sfor\sWAL\sverification)?)?)*)\s*$}x
	  or return;
	my ($rmgr, $rec, $tot, $xid, $lsn, $prev, $desc, $refs) = ($1, $2, $3, $4, $5, $6, $7, $8);
	$refs =~ s/(rel \S+) blk/$1 fork main blk/g;
	my $id = $rmgr_id{$rmgr} // '?';
	return ("rmgr: $id len (rec/tot): $rec/$tot, tx: $xid, lsn: $lsn, prev $prev$refs", $lsn, $rmgr, $desc);
}

# Streams pg_waldump's records through `each`; returns its error line, which names the end of WAL.
sub oracle
{
	my ($node, $timeline, $start, $each) = @_;
	my $errors = "$PostgreSQL::Test::Utils::tmp_check/waldump.err";
	open my $pipe, '-|', "pg_waldump -t $timeline -s $start -p '" . $node->data_dir . "/pg_wal' 2>'$errors'"
	  or die "pg_waldump: $!";
	while (my $line = <$pipe>)
	{
		next if $line =~ /^first record is after/;
		my @parsed = parse_oracle_line($line);
		if (!@parsed) { fail("pg_waldump's line was understood"); diag(substr($line, 0, 300)); last; }
		$each->(@parsed);
	}
	close $pipe;
	return slurp_file($errors);
}

# Compares our lines with the oracle's, each as it comes: feed(check) calls check(line) for each of them. What a test that forks holds
# in memory makes every fork slow.
sub same_lines
{
	my ($name, $feed, @command) = @_;
	my $errors = "$PostgreSQL::Test::Utils::tmp_check/wal_dump.err";
	open my $pipe, '-|', join(' ', $wal_dump, map({ "'$_'" } @command), "2>'$errors'") or die "wal_dump: $!";
	my ($expected, $count, $different) = (0, 0, undef);
	$feed->(sub {
		my ($line) = @_;
		my $mine = <$pipe>;
		if (defined $mine) { chomp $mine; ++$count; }
		$different //= [ $expected, $line, $mine // '(no more)' ] if ($mine // '') ne $line;
		++$expected;
	});
	++$count while <$pipe>;
	close $pipe;
	is($count, $expected, "$name: as many records as pg_waldump");
	ok(!$different && $count > 0, "$name: the same records and block references")
	  or diag($different ? "record $different->[0]\npg_waldump: $different->[1]\nours:       $different->[2]" : slurp_file($errors));
	return slurp_file($errors);
}

# All records from `start` to the end of WAL. Returns what the oracle said: a list of [lsn, rmgr, desc, block references]; desc
# only where somebody looks at it.
sub same_wal
{
	my ($name, $node, $start) = @_;
	my (@records, $error);
	my $end = same_lines($name, sub {
		my ($check) = @_;
		$error = oracle($node, 1, $start, sub {
			my ($line, $lsn, $rmgr, $desc) = @_;
			$check->($line);
			push @records, [ $lsn, $rmgr, $rmgr =~ /^(XLOG|Storage|Database|Transaction)$/ ? $desc : '', $line =~ /(, blkref.*)/ ? $1 : '' ];
		});
	}, cluster_arguments($node), "--start=$start");
	note("$name: " . scalar(@records) . " records; pg_waldump ended with: $error, we with: $end");
	return \@records;
}

# scan_wal from the first record on, with the divergence at record `at`: changed blocks, truncations,
# created relations and lost transactions, read from pg_waldump's lines.
sub same_scan
{
	my ($name, $node, $records, $at) = @_;
	my (%blocks, %tail, %whole, %databases, %seen);
	my ($commits, $aborts, $prepared) = (0, 0, 0);
	my $relation_of = sub {    # base/DB/REL, global/REL, pg_tblspc/TS/VERSION/DB/REL
		my ($path) = @_;
		return "1663/$1/$2" if $path =~ m{^base/(\d+)/(\d+)$};
		return "1664/0/$1" if $path =~ m{^global/(\d+)$};
		return "$1/$2/$3" if $path =~ m{^pg_tblspc/(\d+)/[^/]+/(\d+)/(\d+)$};
		return;
	};
	for my $record (@$records[ $at .. $#$records ])
	{
		my ($lsn, $rmgr, $desc, $line) = @$record;
		while ($line =~ m{rel (\S+) fork main blk (\d+)}g) { $blocks{$1}{$2} = 1; $seen{$1} = 1; }
		if ($rmgr eq 'Storage' && $desc =~ m{^CREATE (\S+)})
		{
			my $path = $1;
			$path =~ s/_init$//;
			my $relation = $relation_of->($path);
			$whole{$relation} = $seen{$relation} = 1 if defined $relation;
		}
		elsif ($rmgr eq 'Storage' && $desc =~ m{^TRUNCATE (\S+) to (\d+) blocks flags (\d+)})
		{
			my ($relation, $to, $flags) = ($relation_of->($1), $2, $3);
			next unless $flags & 1;
			$seen{$relation} = 1;
			$tail{$relation} = $to if !defined $tail{$relation} || $to < $tail{$relation};
		}
		elsif ($rmgr eq 'Database' && $desc =~ m{^CREATE_WAL_LOG create dir (\d+)/(\d+)|^CREATE_FILE_COPY copy dir \S+ to (\d+)/(\d+)})
		{
			$databases{ defined $1 ? "$1/$2" : "$3/$4" } = 1;
		}
		elsif ($rmgr eq 'Transaction')
		{
			$commits++ if $desc =~ /^COMMIT/;
			$aborts++ if $desc =~ /^ABORT/;
			$prepared++ if $desc =~ /^PREPARE/;
		}
	}
	my (@expected, $total);
	my @sorted = map { $_->[0] } sort { $a->[1] <=> $b->[1] || $a->[2] <=> $b->[2] || $a->[3] <=> $b->[3] }
	  map { [ $_, split m{/} ] } keys %seen;
	for my $relation (@sorted)
	{
		my @runs;
		$total += keys %{ $blocks{$relation} };
		my $tail = $tail{$relation} // 4294967295;
		for my $block (sort { $a <=> $b } keys %{ $blocks{$relation} })
		{
			next if $block >= $tail;
			if (@runs && $runs[-1][0] + $runs[-1][1] == $block) { $runs[-1][1]++; }
			else { push @runs, [ $block, 1 ]; }
		}
		if ($tail < 4294967295)
		{
			if (@runs && $runs[-1][0] + $runs[-1][1] == $tail) { $runs[-1][1] += 4294967295 - $tail; }
			else { push @runs, [ $tail, 4294967295 - $tail ]; }
		}
		my ($database) = $relation =~ m{^(\d+/\d+)/};
		my $whole = $whole{$relation} || $databases{$database} ? ' whole' : '';
		push @expected, "rel $relation$whole:" . join('', map { " $_->[0]+$_->[1]" } @runs);
	}

	my $divergence = $records->[$at][0];
	my ($out, $err) = run_command(
		[ $wal_dump, cluster_arguments($node), "--start=$records->[0][0]", "--scan=$divergence" ]);
	my @got = split /\n/, $out;
	my $summary = pop @got // '';
	my ($differing) = grep { ($got[$_] // '') ne ($expected[$_] // '') } 0 .. ($#got > $#expected ? $#got : $#expected);
	ok(!defined $differing && @expected > 0, "$name: the scan finds the same " . scalar(@expected) . " relations and blocks")
	  or diag($err . (defined $differing ? "pg_waldump: " . ($expected[$differing] // '-') . "\nours:       " . ($got[$differing] // '-') : ''));
	like($summary, qr/, $total blocks, commits $commits, aborts $aborts, prepared $prepared, bytes \d+$/,
		"$name: the same transactions are lost, and nothing is untrusted");
	return;
}

# find_last_checkpoint for positions all over the WAL.
sub same_checkpoints
{
	my ($name, $node, $records) = @_;
	my ($last, @asked);
	my $step = int(@$records / 12) + 1;
	for my $i (0 .. $#$records)
	{
		my ($lsn, $rmgr, $desc) = @{ $records->[$i] };
		my $is_checkpoint = $rmgr eq 'XLOG' && $desc =~ /^CHECKPOINT_(SHUTDOWN|ONLINE) redo (\S+?);? tli (\d+).* fpw (\w+);/;
		my $found = $is_checkpoint
		  ? sprintf('checkpoint %s redo %s timeline %d fpw %d shutdown %d', lsn_text(lsn_value($lsn)),
			lsn_text(lsn_value($2)), $3, $4 eq 'true', $1 eq 'SHUTDOWN')
		  : undef;
		# Right before, at and after each of them, and in between.
		push @asked, [ $lsn, $last ] if defined $last && ($is_checkpoint || $i % $step == 0) && @asked < 60;
		$last = $found if $found;
	}
	my ($out, $err) = run_command([ 'sh', '-c', 'for lsn in ' . join(' ', map { $_->[0] } @asked) . '; do "$@" --checkpoint-before=$lsn; done', 'sh',
		$wal_dump, cluster_arguments($node) ]);
	my @got = split /\n/, $out;
	my ($wrong) = grep { ($got[$_] // '') ne $asked[$_][1] } 0 .. $#asked;
	ok(@asked > 0 && @got == @asked && !defined $wrong, "$name: the last checkpoint before " . @asked . ' positions')
	  or diag((defined $wrong ? "before $asked[$wrong][0]: expected $asked[$wrong][1], got " . ($got[$wrong] // '') . ' ' : '') . $err);
	return;
}

sub new_primary
{
	my ($name, $segment_megabytes, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1, extra => [ "--wal-segsize=$segment_megabytes" ]);
	$node->append_conf('postgresql.conf', <<"CONF");
wal_keep_size = 4GB
max_wal_size = 1GB
min_wal_size = @{[ 2 * $segment_megabytes ]}MB
max_prepared_transactions = 10
track_commit_timestamp = on
autovacuum = off
wal_level = logical
CONF
	$node->append_conf('postgresql.conf', $conf);
	$node->start;
	return $node;
}

# Work of many kinds; `rows` scales it.
sub work
{
	my ($node, $rows) = @_;
	my $tablespace = $node->basedir . '/tablespace';
	mkdir $tablespace;
	$node->safe_psql('postgres', $_) for (
		'CREATE EXTENSION IF NOT EXISTS bloom',
		"CREATE TABLE a AS SELECT i AS id, md5(i::text) AS t, point(i, i % 97) AS p, ARRAY[i, i % 7] AS arr, now() AS at FROM generate_series(1, $rows) i",
		'CREATE INDEX ON a (id)', 'CREATE INDEX ON a USING hash (id)', 'CREATE INDEX ON a USING gin (arr)',
		'CREATE INDEX ON a USING gist (p)', 'CREATE INDEX ON a USING spgist (p)', 'CREATE INDEX ON a USING brin (id)',
		'CREATE INDEX ON a USING bloom (id)', 'CREATE INDEX ON a USING gin (to_tsvector(\'simple\', t))',
		"INSERT INTO a SELECT i, md5(i::text), point(i, i % 89), ARRAY[i % 13, i % 5], now() FROM generate_series(1, $rows / 4) i",
		'CHECKPOINT',
		'UPDATE a SET t = t || \'x\' WHERE id % 3 = 0', 'DELETE FROM a WHERE id % 5 = 0', 'VACUUM (FREEZE) a',
		"DELETE FROM a WHERE id > $rows / 2", 'VACUUM a', 'VACUUM FULL a', 'CLUSTER a USING a_id_idx',
		'TRUNCATE a', "INSERT INTO a SELECT i, 'again', point(i, i), ARRAY[i], now() FROM generate_series(1, 500) i",
		'CREATE SEQUENCE s; SELECT count(nextval(\'s\')) FROM generate_series(1, 200)',
		'CREATE TABLE toasted (id int, big text)',
		'INSERT INTO toasted SELECT i, (SELECT string_agg(md5((i * j)::text), \'\') FROM generate_series(1, 2000) j) FROM generate_series(1, 30) i',
		'UPDATE toasted SET big = reverse(big); DELETE FROM toasted WHERE id % 2 = 0; VACUUM toasted',
		'BEGIN; INSERT INTO toasted VALUES (1000, \'p\'); CREATE TABLE from_prepared (i int); PREPARE TRANSACTION \'one\'',
		'BEGIN; INSERT INTO toasted VALUES (1001, \'q\'); CREATE TABLE never (i int); PREPARE TRANSACTION \'two\'',
		'COMMIT PREPARED \'one\'', 'ROLLBACK PREPARED \'two\'',
		'CREATE UNLOGGED TABLE u AS SELECT generate_series(1, 5000) AS i; CREATE INDEX ON u (i)',
		'BEGIN; CREATE TABLE aborted AS SELECT generate_series(1, 5000) AS i; SAVEPOINT s; DELETE FROM aborted WHERE i < 10; ROLLBACK',
		'BEGIN; SELECT 1 FROM a WHERE id = 1 FOR SHARE; SAVEPOINT one; UPDATE a SET t = \'m\' WHERE id = 1; COMMIT',
		"CREATE TABLESPACE ts LOCATION '$tablespace'", 'CREATE TABLE in_ts TABLESPACE ts AS SELECT generate_series(1, 1000) AS i',
		'ALTER TABLE in_ts SET TABLESPACE pg_default',
		'CREATE DATABASE logged STRATEGY wal_log', 'CREATE DATABASE copied STRATEGY file_copy',
		'ALTER DATABASE copied SET TABLESPACE ts', 'DROP DATABASE logged', 'DROP DATABASE copied', 'DROP TABLESPACE ts',
		'VACUUM FULL pg_class', 'SELECT pg_replication_origin_create(\'o\')', 'SELECT pg_replication_origin_advance(\'o\', \'0/1\')', 'SELECT pg_replication_origin_drop(\'o\')',
		'SELECT pg_logical_emit_message(false, \'test\', repeat(\'m\', 3000000))',
		'SELECT pg_create_restore_point(\'here\')', 'SELECT pg_switch_wal()',
		'CREATE TABLE after_switch AS SELECT generate_series(1, 20) AS i', 'CHECKPOINT');
	$node->command_ok([ qw(pgbench -i -q -s 2 -h), $node->host, '-p', $node->port, 'postgres' ], $node->name . ': pgbench -i');
	$node->command_ok([ qw(pgbench -n -c 4 -t 500 -h), $node->host, '-p', $node->port, 'postgres' ], $node->name . ': pgbench');
	return;
}

# Waits until no process has its working directory in the cluster: after kill -9 of the postmaster its
# children end by themselves.
sub wait_until_dead
{
	my ($node) = @_;
	my ($device, $inode) = stat $node->data_dir;
	for (1 .. 600)
	{
		my $alive = grep { my @s = stat; @s && $s[0] == $device && $s[1] == $inode } glob('/proc/[0-9]*/cwd');
		return if !$alive;
		usleep(100_000);
	}
	die "processes of the killed server do not end";
}

# Where the oldest segment in pg_wal starts.
sub first_wal
{
	my ($node) = @_;
	my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
	my ($size) = $control =~ /^Bytes per WAL segment:\s+(\d+)/m;
	my ($oldest) = sort map { basename($_) } glob($node->data_dir . '/pg_wal/00000001????????????????');
	my ($high, $low) = $oldest =~ /^00000001(.{8})(.{8})$/;
	return lsn_text(hex($high) * 2**32 + hex($low) * $size);
}

# --- 16 MB segments: every kind of work, clean stop, a crash, and WAL written after it
my $node = new_primary('oracle16', 16, "full_page_writes = on\n");
work($node, 4000);
$node->stop;
my $records = same_wal('clean stop', $node, first_wal($node));
my %kinds = map { $_->[1] => 1 } @$records;
my @missing = grep { !$kinds{$_} }
  qw(XLOG Transaction Storage Database Tablespace MultiXact RelMap Standby Heap2 Heap Btree Hash Gin Gist Sequence SPGist BRIN
  Generic CommitTs ReplicationOrigin LogicalMessage);
is("@missing", '', 'the work wrote records of every resource manager');
same_scan('everything lost', $node, $records, 0);
same_scan('half lost', $node, $records, int(@$records / 2));
same_checkpoints('clean stop', $node, $records);

$node->start;
my $script = "$PostgreSQL::Test::Utils::tmp_check/crash.sql";
append_to_file($script,
	"\\set i random(1, 100000)\nINSERT INTO toasted VALUES (:i, repeat(md5(:i::text), :i % 300));\nUPDATE a SET t = t || 'y' WHERE id = :i % 500;\n");
my $bench = IPC::Run::start([ qw(pgbench -n -c 6 -T 600 -f), $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \my $bench_out, '2>', \my $bench_err);
my $written = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$node->poll_query_until('postgres', "SELECT pg_current_wal_flush_lsn() > '$written'::pg_lsn + 20000000") or die 'pgbench wrote nothing';
$node->kill9;
$bench->finish;
wait_until_dead($node);
$records = same_wal('after kill -9', $node, first_wal($node));
same_scan('after kill -9', $node, $records, int(@$records * 0.8));

$node->start;
$node->safe_psql('postgres', 'CREATE TABLE after_crash AS SELECT generate_series(1, 10000) AS i');
$node->stop('immediate');
$records = same_wal('after recovery and an immediate stop', $node, first_wal($node));

# --- 1 MB segments, compressed images: records across segments, and one whose rest was lost
$node = new_primary('oracle1', 1, "wal_compression = pglz\nwal_log_hints = on\n");
work($node, 1500);
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
my $before_torn = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
$node->safe_psql('postgres', "SELECT pg_logical_emit_message(false, 'torn', repeat('t', 3500000))");
my $torn_end = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
$node->stop('immediate');
cmp_ok($torn_end, 'gt', $before_torn, 'a record spans segments');
opendir my $dir, $node->data_dir . '/pg_wal' or die $!;
# Remove what follows the record's second segment: recovery gives the record up.
my @segments = sort grep { /^[0-9A-F]{24}$/ && $_ gt $before_torn } readdir $dir;
closedir $dir;
unlink $node->data_dir . "/pg_wal/$_" for @segments[ 1 .. $#segments ];
same_wal('the rest of a record is lost', $node, first_wal($node));
$node->start;
$node->safe_psql('postgres', 'CREATE TABLE after_torn AS SELECT generate_series(1, 10000) AS i');
$node->stop;
$records = same_wal('a record was given up', $node, first_wal($node));
ok((grep { $_->[1] eq 'XLOG' && $_->[2] =~ /^OVERWRITE_CONTRECORD/ } @$records) > 0, 'WAL says that a record was given up');
same_scan('1 MB segments', $node, $records, int(@$records / 3));
same_checkpoints('1 MB segments', $node, $records);

# --- 64 MB segments, full_page_writes off
$node = new_primary('oracle64', 64, "full_page_writes = off\n");
work($node, 1500);
$node->stop;
$records = same_wal('64 MB segments', $node, first_wal($node));
same_checkpoints('64 MB segments', $node, $records);

# --- a timeline switch inside a segment: the old timeline up to it, the new one from it on
my $primary = new_primary('oracle_primary', 1, "wal_compression = off\n");
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('oracle_standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', 'CREATE TABLE common AS SELECT generate_series(1, 50000) AS i');
my $first_segment = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
$primary->wait_for_catchup($standby);
$standby->promote;
$standby->safe_psql('postgres', 'CREATE TABLE mine AS SELECT generate_series(1, 50000) AS i');
$standby->safe_psql('postgres', 'CHECKPOINT');
$standby->stop;
$primary->stop('immediate');
my ($switch) = slurp_file($standby->data_dir . '/pg_wal/00000002.history') =~ /^1\t(\S+)/m;
my $segment = lsn_text(int(lsn_value($switch) / 2**20) * 2**20);
my $earlier = lsn_text((int(lsn_value($switch) / 2**20) - 2) * 2**20);
my ($common, $after) = (0, 0);
# Timeline 1 of the primary, which has all of it, up to the switch; then timeline 2.
my $feed = sub {
	my ($check) = @_;
	oracle($primary, 1, $earlier, sub { if (lsn_value($_[1]) < lsn_value($switch)) { $check->($_[0]); $common++; } });
	oracle($standby, 2, $segment, sub { if (lsn_value($_[1]) >= lsn_value($switch)) { $check->($_[0]); $after++; } });
};
same_lines('timeline switch', $feed, cluster_arguments($standby, '1', "2\@$switch"), "--start=$earlier");
cmp_ok($common, '>', 0, 'records before the timeline switch');
cmp_ok($after, '>', 0, 'records after the timeline switch');

done_testing();
