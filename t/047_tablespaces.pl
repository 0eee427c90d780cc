# Tablespaces: elsewhere, where each server has its own place, and in place, inside the data directory.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind 15 knows no tablespaces in place' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir;
mkdir "$place/old";
my $old = start_primary('old', conf => "allow_in_place_tablespaces = on\n");
$old->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$place/old'");
$old->safe_psql('postgres', "CREATE TABLESPACE inside LOCATION ''");
for my $tablespace ('elsewhere', 'inside')
{
	$old->safe_psql('postgres',
		"CREATE TABLE in_$tablespace (id int PRIMARY KEY, t text) TABLESPACE $tablespace;"
		  . "INSERT INTO in_$tablespace SELECT i, md5(i::text) FROM generate_series(1, 10000) i");
}
$old->safe_psql('postgres', 'CREATE DATABASE moved TABLESPACE elsewhere');
$old->safe_psql('moved', 'CREATE TABLE here AS SELECT i FROM generate_series(1, 1000) i');
my $new = add_standby('new', $old, options => [ '-T', "$place/old=$place/new" ]);
promote($new);
for my $node ($old, $new)
{
	my $name = $node->name;
	for my $table ('in_elsewhere', 'in_inside')
	{
		$node->safe_psql('postgres', "UPDATE $table SET t = '$name' WHERE id % 10 = 0;"
			  . "INSERT INTO $table SELECT i, '$name' || i FROM generate_series(20001, 25000) i");
	}
	$node->safe_psql('postgres', "CREATE TABLE of_$name TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 5000) i");
	$node->safe_psql('moved', "INSERT INTO here SELECT hashtext('$name' || i) FROM generate_series(1, 3000) i");
}
my $oid = $old->safe_psql('postgres', "SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'");
failback_ok($old, $new);
is(readlink($old->data_dir . "/pg_tblspc/$oid"), "$place/old", 'the tablespace is where it was');
ends_equal($old, $new);

done_testing();
