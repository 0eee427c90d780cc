# Databases created, dropped and copied on both sides, one of them under the same name on both; and moved by the target alone.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Of what pg_rewind gets wrong below, only what we write is to differ, not what statistics do to catalogs.
my $old = start_primary('old', checksums => 0, conf => "autovacuum = off\n");
create_upsert_table($old);
for my $name ('kept', 'dropped_by_old', 'dropped_by_new')
{
	$old->safe_psql('postgres', "CREATE DATABASE $name");
	$old->safe_psql($name, 'CREATE TABLE here AS SELECT i FROM generate_series(1, 1000) i');
}
my $new = add_standby('new', $old);
promote($new);

$old->safe_psql('postgres', 'DROP DATABASE dropped_by_old');
$new->safe_psql('postgres', 'DROP DATABASE dropped_by_new');
for my $node ($old, $new)
{
	my $name = $node->name;
	# Both ways of making one: page by page through WAL, and as a copy of files.
	$node->safe_psql('postgres', "CREATE DATABASE same TEMPLATE kept STRATEGY wal_log");
	$node->safe_psql('postgres', "CREATE DATABASE only_$name TEMPLATE kept STRATEGY file_copy");
	$node->safe_psql('same', "INSERT INTO here SELECT hashtext('$name' || i) FROM generate_series(1, 3000) i");
	$node->safe_psql("only_$name", "CREATE TABLE there AS SELECT md5(i::text) FROM generate_series(1, 3000) i");
	$node->safe_psql('kept', "UPDATE here SET i = -i WHERE i % 7 = 0");
}
failback_ok($old, $new, compares => 1, twin => 1);
is($old->safe_psql('postgres', "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate"),
	'dropped_by_old kept only_new postgres same', 'the databases are those of the new primary');
# This pair goes by wal_log_hints instead of data checksums.
# pg_rewind replays the copy of "kept" from what "kept" became later: the copy then has rows that it never had. And all that
# was made in it since is replayed, without empty pages at the end, which are in no WAL.
my ($copied, $made) = map { $new->safe_psql('only_new', "SELECT pg_relation_filepath('$_')") } ('here', 'there');
ends_equal($old, $new, no_checksums => 1, twin_differs => qr/^($copied|$made)$/);
$new->stop('fast');

# Moved to another tablespace, and moved there and back, on the target only: it comes back to where the source has it.
{
	my $place = PostgreSQL::Test::Utils::tempdir;
	mkdir "$place/old";
	my @databases = ('moved', 'moved_back');
	my $old = start_primary('old_moved', conf => "autovacuum = off\n");
	$old->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$place/old'");
	$old->safe_psql('postgres', "CREATE DATABASE $_") for @databases;
	$old->safe_psql($_, 'CREATE TABLE here AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i') for @databases;
	my $new = add_standby('new_moved', $old, options => [ '-T', "$place/old=$place/new" ]);
	promote($new);
	$old->safe_psql('postgres', "ALTER DATABASE $_ SET TABLESPACE space") for @databases;
	$old->safe_psql('moved_back', "UPDATE here SET t = 'old' WHERE i % 11 = 0");
	$old->safe_psql('postgres', 'ALTER DATABASE moved_back SET TABLESPACE pg_default');
	for my $node ($old, $new)
	{
		my $name = $node->name;
		$node->safe_psql($_, "UPDATE here SET t = '$name' WHERE i % 7 = 0; CREATE TABLE of_$name AS SELECT i FROM generate_series(1, 1000) i") for @databases;
	}
	my @paths = map { $new->safe_psql('postgres', "SELECT 'base/' || oid FROM pg_database WHERE datname = '$_'") } @databases;
	ok(!-e $old->data_dir . "/$paths[0]", 'the database is elsewhere');
	failback_ok($old, $new, twin => 1);
	ok(-d $old->data_dir . "/$_", "$_ is where the source has it") for @paths;
	is(join(' ', glob "$place/old/*/*"), '', 'and no longer in the tablespace');
	ends_equal($old, $new);
}

done_testing();
