# Same name, other relation. After a clean switchover both servers hand out the same next OIDs. The old
# primary creates an unlogged table, the new one a normal table that gets the same file number and is filled
# by 24 clients at once: then PostgreSQL extends it by pages that no WAL record mentions. Whoever goes by
# the target's WAL alone leaves pages of the unlogged table inside the other one.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old', conf => "autovacuum = off\n");
my $new = add_standby('new', $old);
# A shutdown checkpoint carries the exact next OID to the standby.
$old->stop('fast');
promote($new);
$old->start;

my $columns = '(id int, t text)';
$old->safe_psql('postgres', "CREATE UNLOGGED TABLE theirs $columns");
$new->safe_psql('postgres', "CREATE TABLE ours $columns");
my $path = $new->safe_psql('postgres', "SELECT pg_relation_filepath('ours')");
is($old->safe_psql('postgres', "SELECT pg_relation_filepath('theirs')"), $path,
	'both relations have the same file number');

# Pages of the new primary's table that are all zero in its file: extended, never written.
sub untouched_pages
{
	$new->safe_psql('postgres', 'CHECKPOINT');
	open my $file, '<:raw', $new->data_dir . "/$path" or die "could not open $path: $!";
	my $count = 0;
	while (read($file, my $page, 8192)) { $count++ if $page !~ /[^\0]/; }
	close $file;
	return $count;
}

my $fill = write_sql("INSERT INTO ours SELECT i, repeat('ours', 150) FROM generate_series(1, 50) i;\n");
wait_until('the table was extended in bulk', sub {
	pgbench_finish(pgbench_start($new, '-c', 24, '-j', 2, '-t', 15, '-f', $fill));
	return untouched_pages() > 0;
});
my $pages = $new->safe_psql('postgres', "SELECT pg_relation_size('ours') / 8192 + 1000");
$old->safe_psql('postgres',
	"INSERT INTO theirs SELECT i, repeat('theirs', 300) FROM generate_series(1, 4 * $pages) i");
cmp_ok($old->safe_psql('postgres', "SELECT pg_relation_size('theirs')"), '>=', 8192 * $pages,
	'the unlogged table covers all of the other');
cmp_ok(untouched_pages(), '>', 0, 'some pages stand in no WAL record');

failback_ok($old, $new, twin => 1);
is($old->safe_psql('postgres', "SELECT count(*) FROM ours WHERE t LIKE '%theirs%'"), 0,
	'no row of the other table is left');
# pg_rewind does leave them, in this file and nowhere else.
ends_equal($old, $new, twin_differs => qr/^$path(\.|$)/);

done_testing();
