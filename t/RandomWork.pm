# Random work on a server, decided by a seed: SQL statements, one a line, that are run one after another. What a statement
# needs may be missing by then (another has dropped it): such statements fail, and that is part of the game.
package RandomWork;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(initial_work random_work index_checks);

# A table has all of this, and a random choice of indexes on it.
my $columns = 'id int, k text, n int[], p point, r int4range, words tsvector, big text';
my @indexes = (
	'btree (id)', 'btree (k, id)', 'hash (k)', 'hash (id)', 'gin (n)', 'gin (words) WITH (fastupdate = off)', 'gist (p)',
	'gist (r)', 'spgist (p)', 'spgist (k)', 'spgist (r)', 'brin (id) WITH (pages_per_range = 4)', 'gist (words)');
my @tables = map { "t$_" } (1 .. 6);
my @databases = ('postgres', 'two');

sub pick { return $_[ int(rand(scalar @_)) ]; }
sub number { my ($from, $to) = @_; return $from + int(rand($to - $from + 1)); }

# Rows with ids from..to; big is beyond what fits a page now and then.
sub rows
{
	my ($from, $to) = @_;
	my $salt = number(1, 1_000_000);
	my $wide = pick(0, 0, 1, 20, 300);
	return "SELECT i, md5((i % " . number(3, 5000) . ")::text || '$salt'), ARRAY[i % 17, i % 101, $salt], point(i % 97, i % 89),"
	  . " int4range(i, i + i % 31), to_tsvector('simple', md5(i::text) || ' w' || i % 13),"
	  . " (SELECT string_agg(md5(i::text || j || '$salt'), '') FROM generate_series(1, 1 + (i % 50 = 0)::int * $wide) j)"
	  . " FROM generate_series($from, $to) i";
}

sub insert_rows
{
	my ($table, $most) = @_;
	my $from = number(1, 100_000);
	return "INSERT INTO $table " . rows($from, $from + number(1, $most));
}

my $next_index = 0;
sub create_index
{
	my ($table) = @_;
	my $place = pick('', '', '', ' TABLESPACE one');
	return "CREATE INDEX i_" . ++$next_index . '_' . number(1, 1_000_000) . " ON $table USING " . pick(@indexes) . $place;
}

sub create_table
{
	my ($table, $persistence) = @_;
	my $options = pick('', '', ' WITH (fillfactor = 50)', ' WITH (autovacuum_enabled = off)');
	return ("CREATE $persistence TABLE $table ($columns)$options" . pick('', '', ' TABLESPACE one', ' TABLESPACE two'),
		map { create_index($table) } (1 .. number(1, 6)));
}

sub some_rows { return 'id % ' . number(2, 40) . ' = ' . number(0, 3); }
sub change { return pick("k = k || 'x'", 'id = id + 1', "n = n || 5, p = point(id, 3)", "big = big || md5(id::text)", 'r = int4range(id, id + 9)'); }

# Kind => statements; every kind is as likely as it is written often in the list below.
my %work = (
	insert => sub { insert_rows(pick(@tables), 3000) },
	insert_few => sub { insert_rows(pick(@tables), 20) },
	copy_table => sub { my $t = pick(@tables); "INSERT INTO $t SELECT * FROM $t LIMIT 2000" },
	update => sub { 'UPDATE ' . pick(@tables) . ' SET ' . change() . ' WHERE ' . some_rows() },
	delete => sub { 'DELETE FROM ' . pick(@tables) . ' WHERE ' . some_rows() },
	delete_end => sub { my $t = pick(@tables); ("DELETE FROM $t WHERE ctid > '(" . number(0, 60) . ",0)'", "VACUUM $t") },
	rolled_back => sub { ('BEGIN', insert_rows(pick(@tables), 4000), 'DELETE FROM ' . pick(@tables), 'ROLLBACK') },
	subtransactions => sub {
		my $t = pick(@tables);
		('BEGIN', "SELECT count(*) FROM (SELECT 1 FROM $t FOR SHARE LIMIT 500) s", 'SAVEPOINT a', "UPDATE $t SET " . change() . ' WHERE ' . some_rows(),
			'SAVEPOINT b', insert_rows($t, 500), pick('ROLLBACK TO b', 'RELEASE b', 'ROLLBACK TO a'), pick('COMMIT', 'COMMIT', 'ROLLBACK'));
	},
	two_phase => sub {
		my $name = 'p' . number(1, 3);
		('BEGIN', insert_rows(pick(@tables), 300), "PREPARE TRANSACTION '$name'", pick("COMMIT PREPARED '$name'", "ROLLBACK PREPARED '$name'"));
	},
	vacuum => sub { 'VACUUM ' . pick('', '(FREEZE) ', '(FULL) ', '(FREEZE, DISABLE_PAGE_SKIPPING) ') . pick(@tables) },
	truncate => sub { 'TRUNCATE ' . pick(@tables) },
	drop => sub { my $t = pick(@tables); ("DROP TABLE $t", create_table($t, pick('', '', 'UNLOGGED')), insert_rows($t, 2000)) },
	just_drop => sub { 'DROP TABLE ' . pick(@tables) },
	create => sub { my $t = pick(@tables); (create_table($t, pick('', '', 'UNLOGGED')), insert_rows($t, 2000)) },
	rename => sub { my ($a, $b) = (pick(@tables), pick(@tables)); ("ALTER TABLE $a RENAME TO x", "ALTER TABLE $b RENAME TO $a", "ALTER TABLE x RENAME TO $b") },
	rewrite => sub { 'ALTER TABLE ' . pick(@tables) . ' ALTER COLUMN id TYPE ' . pick('bigint', 'int') },
	persistence => sub { 'ALTER TABLE ' . pick(@tables) . ' SET ' . pick('LOGGED', 'UNLOGGED') },
	move => sub { 'ALTER TABLE ' . pick(@tables) . ' SET TABLESPACE ' . pick('one', 'two', 'pg_default') },
	index => sub { create_index(pick(@tables)) },
	reindex => sub { 'REINDEX TABLE ' . pick('', 'CONCURRENTLY ') . pick(@tables) },
	catalogs => sub { pick('VACUUM FULL pg_class', 'VACUUM FULL pg_attribute', 'REINDEX TABLE pg_proc', 'VACUUM FULL pg_authid', 'VACUUM FREEZE pg_type') },
	sequence => sub { my $s = 's' . number(1, 3); ("CREATE SEQUENCE $s", "SELECT count(nextval('$s')) FROM generate_series(1, " . number(1, 90) . ')', "SELECT setval('$s', " . number(1, 5000) . ')') },
	drop_sequence => sub { 'DROP SEQUENCE s' . number(1, 3) },
	large_object => sub { my $o = number(5000, 5020); (pick("SELECT lo_unlink($o)", "SELECT lo_put($o, " . number(0, 9000) . ", '\\x0102030405')"),
		"SELECT lo_from_bytea($o, decode((SELECT string_agg(md5(random()::text), '') FROM generate_series(1, " . number(1, 900) . ") i), 'hex'))") },
	matview => sub { my $m = 'm' . number(1, 2); ("CREATE MATERIALIZED VIEW $m AS SELECT * FROM " . pick(@tables), "REFRESH MATERIALIZED VIEW $m", pick("DROP MATERIALIZED VIEW $m", 'SELECT 1')) },
	hints => sub { 'SELECT count(*) FROM ' . pick(@tables) },
	checkpoint => sub { 'CHECKPOINT' },
	segment => sub { 'SELECT pg_switch_wal()' },
	temporary => sub { 'CREATE TEMPORARY TABLE tmp AS ' . rows(1, number(1, 2000)) . '; DROP TABLE tmp' },
	tablespace => sub { my $t = 'ts' . number(1, 2); ("CREATE TABLESPACE $t LOCATION ''", "CREATE TABLE in_$t TABLESPACE $t AS " . rows(1, number(1, 900)), pick("DROP TABLE in_$t; DROP TABLESPACE $t", 'SELECT 1')) },
	database => sub { my $d = 'd' . number(1, 3); (pick("CREATE DATABASE $d TEMPLATE template0", "CREATE DATABASE $d TEMPLATE template0", "CREATE DATABASE $d TEMPLATE two", "DROP DATABASE $d", "ALTER DATABASE $d SET TABLESPACE " . pick('one', 'pg_default'))) },
	file_copy => sub { 'CREATE DATABASE d' . number(1, 3) . ' TEMPLATE two STRATEGY file_copy' },
	gin => sub { "SELECT gin_clean_pending_list(oid) FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'gin') AND relkind = 'i'" },
	brin => sub { "SELECT brin_summarize_new_values(oid) FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'brin') AND relkind = 'i'" },
	xids => sub { ('DO $$ BEGIN FOR i IN 1..' . number(100, 3000) . ' LOOP BEGIN PERFORM txid_current(); EXCEPTION WHEN division_by_zero THEN END; END LOOP; END $$') },
);
my @likely = (
	('insert') x 6, ('insert_few') x 4, ('update') x 8, ('delete') x 4, ('delete_end') x 4, ('copy_table') x 2, ('rolled_back') x 2,
	('subtransactions') x 3, ('two_phase') x 2, ('vacuum') x 5, 'truncate', ('drop') x 2, 'just_drop', ('create') x 3, 'rename',
	'rewrite', ('persistence') x 2, ('move') x 2, ('index') x 3, ('reindex') x 2, 'catalogs', ('sequence') x 3, 'drop_sequence',
	('large_object') x 3, ('matview') x 2, ('hints') x 2, ('checkpoint') x 2, 'segment', 'temporary', 'tablespace', 'database',
	'gin', 'brin', 'xids');

# What both sides have in common; the first part is not random.
sub initial_work
{
	return (
		[ 'postgres', "CREATE TABLESPACE one LOCATION ''" ], [ 'postgres', "CREATE TABLESPACE two LOCATION ''" ],
		[ 'postgres', 'CREATE DATABASE two' ],
		map { my $database = $_; map { my $table = $_; map { [ $database, $_ ] } (create_table($table, ''), insert_rows($table, 3000)) } @tables } @databases);
}

# `count` pieces of work: [DATABASE, STATEMENT]... %option: file_copy => 1 also copies databases file by file.
sub random_work
{
	my ($count, %option) = @_;
	my @statements;
	for (1 .. $count)
	{
		my $kind = $option{file_copy} && rand() < 0.05 ? 'file_copy' : pick(@likely);
		my $database = rand() < 0.8 ? $databases[0] : $databases[1];
		push @statements, map { [ $database, $_ ] } $work{$kind}->();
	}
	return @statements;
}

# Queries that have to return no row: what an index finds against what the table has. amcheck knows B-trees only.
sub index_checks
{
	return map {
		my ($what, $condition) = @$_;
		"SELECT '$what', * FROM (SELECT count(*) AS c, coalesce(sum(id), 0) AS s FROM TABLE_NAME WHERE $condition) x"
	} (
		[ 'hash', "k = (SELECT min(k) FROM TABLE_NAME)" ], [ 'btree or brin', 'id BETWEEN 1000 AND 20000' ],
		[ 'gin', 'n @> ARRAY[3]' ], [ 'gin or gist on words', "words @@ 'w5'" ], [ 'gist or spgist on p', "p <@ box '((10,10),(50,50))'" ],
		[ 'gist or spgist on r', 'r && int4range(500, 30000)' ], [ 'spgist on k', "k ^@ 'a'" ]);
}

1;
