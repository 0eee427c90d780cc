# What a server changes in its pages without WAL: hint bits on pages that were dirty already, and SP-GiST's first page. A
# failback by WAL must bring them back too, or see that it cannot. No twin: it is not known to us that pg_rewind looks at these.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $quiet = "autovacuum = off\n";
my $rows = 'SELECT count(*) FROM t WHERE id BETWEEN 50 AND 59';

# Deletes rows and lets an index scan mark their entries dead: a hint bit, which a promoted standby must not have.
sub delete_and_mark
{
	my ($node) = @_;
	$node->safe_psql('postgres', 'DELETE FROM t WHERE id BETWEEN 50 AND 59');
	$node->safe_psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT * FROM t WHERE id BETWEEN 45 AND 65")
	  for (1, 2);
	is($node->safe_psql('postgres', $rows), 0, 'deleted on the target');
	return;
}

# Only a primary shows what its pages say.
sub index_agrees_ok
{
	my ($node, $upstream, $what) = @_;
	$upstream->stop('fast');
	promote($node);
	my %without = (index => 'seqscan', heap => 'indexscan');
	for my $by (sort keys %without)
	{
		is($node->safe_psql('postgres', "SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SET enable_$without{$by} = off; $rows"),
			10, "$what: rows by $by");
	}
	my ($status, undef, $error) = $node->psql('postgres', "SELECT bt_index_check('t_pkey', true)");
	is($status, 0, "$what: amcheck") or diag($error);
	return;
}

sub two_servers
{
	my ($name, %option) = @_;
	my $first = start_primary("${name}_1", %option);
	$first->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, 'row' FROM generate_series(1, 200) AS i");
	return ($first, add_standby("${name}_2", $first));
}

# --- A standby that was promoted by accident: what replay had dirtied was dirty still ---
{
	my ($primary, $target) = two_servers('promoted', conf => $quiet);
	$primary->safe_psql('postgres', 'CREATE TABLE after_checkpoint (i int)');
	my $diverge = sub {
		$primary->safe_psql('postgres', 'CHECKPOINT');
		wait_streaming($target, $primary);
		$target->safe_psql('postgres', 'CHECKPOINT'); # its last restartpoint
		# Replay of the latter leaves so much to write that the checkpoint after the promotion takes minutes.
		$primary->safe_psql('postgres', "DELETE FROM t; INSERT INTO t SELECT i, 'row' FROM generate_series(1, 200) AS i; CHECKPOINT;"
			  . ' INSERT INTO after_checkpoint SELECT i FROM generate_series(1, 500000) AS i');
		wait_streaming($target, $primary);
		promote($target);
		delete_and_mark($target);
		upsert_on($primary);
	};
	# No checkpoint since its promotion: replay goes back to its own last one.
	$diverge->();
	$target->stop('immediate');
	failback_ok($target, $primary, options => ['--mode=wal'], like => qr/rewinding from last common checkpoint/);
	same_rows($target, $primary);

	$diverge->();
	$target->stop('fast');
	my $reason = qr/the target was promoted after the last common checkpoint, and its hint bits may be in no WAL/;
	refused_ok('promoted, --mode=wal', $target->data_dir, qr/cannot be brought level by WAL alone: $reason/,
		'-D', $target->data_dir, '--source-server=' . source_conninfo($primary), '--mode=wal');
	failback_ok($target, $primary, compares => 1, like => qr/comparing contents, because $reason/);
	same_rows($target, $primary);
	index_agrees_ok($target, $primary, 'promoted');
}

sub upsert_on { $_[0]->safe_psql('postgres', 'CREATE TABLE IF NOT EXISTS kept (i int); INSERT INTO kept SELECT i FROM generate_series(1, 1000) AS i'); return; }

# --- SP-GiST remembers in its first page, without WAL, which pages have room ---
{
	my $target = start_primary('spgist_1', conf => $quiet);
	my $standby = add_standby('spgist_2', $target);
	my $points = sub { "INSERT INTO s SELECT point(random() * 1000, random() * 1000) FROM generate_series(1, $_[0])" };
	$target->safe_psql('postgres', 'CREATE TABLE s (p point); ' . $points->(1000) . '; CREATE INDEX si ON s USING spgist (p)');
	$target->safe_psql('postgres', 'CHECKPOINT');
	$target->safe_psql('postgres', $points->(10));
	wait_streaming($standby, $target);
	promote($standby);
	$target->safe_psql('postgres', $points->(60000));
	$standby->safe_psql('postgres', $points->(10));
	my $pages = "SELECT pg_relation_size('si') / 8192";
	cmp_ok($target->safe_psql('postgres', $pages), '>', 10 * $standby->safe_psql('postgres', $pages), 'the index has grown on the target');
	$target->stop('fast');
	failback_ok($target, $standby, options => ['--mode=wal']);
	same_rows($target, $standby);
	$standby->stop('fast');
	promote($target);
	my ($status, undef, $error) = $target->psql('postgres', $points->(40000));
	is($status, 0, 'the index takes new rows once the target is a primary again') or diag($error);
}

# --- Data checksums that were enabled after the divergence say nothing about the time before ---
{
	my ($target, $standby) = two_servers('late', checksums => 0, conf => "${quiet}wal_log_hints = off\n");
	$target->safe_psql('postgres', 'CHECKPOINT');
	upsert_on($target);
	wait_streaming($standby, $target);
	promote($standby);
	delete_and_mark($target);
	upsert_on($standby);
	$_->stop('fast') for ($target, $standby);
	my $second = time;
	wait_until('the clock has gone on', sub { time > $second });
	system_or_bail('pg_checksums', '--enable', '-D', $_->data_dir) for ($target, $standby);
	$standby->start;
	my $reason = qr/the target's data checksums may have been enabled after the divergence, and wal_log_hints was off/;
	failback_ok($target, $standby, compares => 1, like => qr/comparing contents, because $reason/);
	same_rows($target, $standby);
	index_agrees_ok($target, $standby, 'checksums enabled later');
}

# --- ... but those that were there from the beginning are enough, restarted or not ---
{
	my ($target, $standby) = two_servers('early', conf => "${quiet}wal_log_hints = off\n");
	$target->safe_psql('postgres', 'CHECKPOINT');
	# Hint bits of rows that were committed before the checkpoint: an image that only checksums ask for.
	is($target->safe_psql('postgres', 'SELECT count(*) FROM t'), 200, 'rows are read after a checkpoint');
	upsert_on($target);
	wait_streaming($standby, $target);
	promote($standby);
	upsert_on($standby);
	$target->restart;
	delete_and_mark($target);
	$target->stop('fast');
	failback_ok($target, $standby, options => ['--mode=wal']);
	same_rows($target, $standby);
	index_agrees_ok($target, $standby, 'checksums from the beginning');
}

# --- full_page_writes was off on the target, from before the divergence on: no page has an image that replay could go back to ---
{
	my ($target, $standby) = two_servers('imageless', conf => $quiet);
	$target->safe_psql('postgres', "CREATE TABLE common AS SELECT i, md5(i::text) AS m FROM generate_series(1, 20000) AS i");
	$target->safe_psql('postgres', $_) for ('ALTER SYSTEM SET full_page_writes = off', 'SELECT pg_reload_conf()');
	$target->poll_query_until('postgres', "SELECT current_setting('full_page_writes') = 'off'") or die 'the setting does not come';
	$target->safe_psql('postgres', 'CHECKPOINT');
	# Between the common checkpoint and the divergence, and after it, on other pages of the same table.
	$target->safe_psql('postgres', 'UPDATE common SET m = i::text WHERE i < 5000');
	wait_streaming($standby, $target);
	promote($standby);
	$target->safe_psql('postgres', 'UPDATE common SET m = upper(m) WHERE i BETWEEN 4000 AND 9000');
	$standby->safe_psql('postgres', 'UPDATE common SET m = reverse(m) WHERE i BETWEEN 8000 AND 12000');
	delete_and_mark($target);
	is($standby->safe_psql('postgres', 'SHOW full_page_writes'), 'on', 'the source writes images');
	$target->stop('fast');
	my $said = failback_ok($target, $standby, compares => 1);
	note($said =~ /comparing contents/ ? 'compared' : 'by WAL');
	ends_equal($target, $standby);
	$target->start;
	index_agrees_ok($target, $standby, 'full_page_writes off');
}

# --- A file without WAL, replaced by a longer one while it is being copied: half of it, and no server would start ---
{
	my ($target, $standby) = two_servers('origins', conf => $quiet);
	promote($standby);
	my $add = sub {
		my ($name) = @_;
		$standby->safe_psql('postgres', "SELECT pg_replication_origin_create('$name'); SELECT pg_replication_origin_advance('$name', '0/1234'); CHECKPOINT");
	};
	$add->('early');
	# What is staged is seen when the first of them is.
	$standby->safe_psql('postgres', "CREATE TABLE $_ AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 3000) i") for ('one', 'two', 'three', 'four', 'five', 'six');
	upsert_on($target);
	$target->stop('fast');
	my $run = failback_slowly($target, $standby, \my $output, '-R', '--compress=none');
	$add->('late');
	ok($run->finish, 'a failback while an origin is added') or diag($output);
	is(-s $target->data_dir . '/pg_logical/replorigin_checkpoint', -s $standby->data_dir . '/pg_logical/replorigin_checkpoint', 'the longer file');
	$standby->safe_psql('postgres', 'ALTER ROLE failback_user REPLICATION');
	$target->start(fail_ok => 1) or die 'the target does not start';
	ok(wait_streaming($target, $standby), 'the target starts and streams');
	same_rows($target, $standby);
}

done_testing();
