# Tablespaces: elsewhere, where each server has its own place, and in place, inside the data directory.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Elsewhere alone, which pg_rewind 15 can do too.
{
	my $place = PostgreSQL::Test::Utils::tempdir;
	mkdir "$place/old";
	my $old = start_primary('old_elsewhere');
	$old->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$place/old'");
	$old->safe_psql('postgres', 'CREATE DATABASE there TABLESPACE elsewhere');
	$old->safe_psql('postgres', 'CREATE TABLE spaced (id int PRIMARY KEY USING INDEX TABLESPACE elsewhere, t text) TABLESPACE elsewhere');
	my %tables = (postgres => 'spaced', there => 'here');
	$old->safe_psql('there', 'CREATE TABLE here (id int PRIMARY KEY, t text)');
	$old->safe_psql($_, "INSERT INTO $tables{$_} SELECT i, md5(i::text) FROM generate_series(1, 10000) i") for keys %tables;
	my $new = add_standby('new_elsewhere', $old, options => [ '-T', "$place/old=$place/new" ]);
	promote($new);
	for my $node ($old, $new)
	{
		my $name = $node->name;
		$node->safe_psql($_, "UPDATE $tables{$_} SET t = '$name' WHERE id % 10 = 0;"
			  . "INSERT INTO $tables{$_} SELECT i, '$name' || i FROM generate_series(20001, 25000) i") for keys %tables;
		$node->safe_psql('postgres', "CREATE TABLE of_$name TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 5000) i");
	}
	failback_ok($old, $new, twin => 1);
	ends_equal($old, $new);
	$new->stop('fast');
}

# No twin: pg_rewind 15 takes a tablespace in place for one that changes from a link to a directory.
if (is_pg_rewind())
{
	done_testing();
	exit;
}

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
my $inside = $old->safe_psql('postgres', "SELECT oid FROM pg_tablespace WHERE spcname = 'inside'");
$old->stop('fast');
# The old primary has moved it elsewhere meanwhile: a link here, a directory there.
rename $old->data_dir . "/pg_tblspc/$inside", "$place/moved" or die "rename: $!";
symlink "$place/moved", $old->data_dir . "/pg_tblspc/$inside" or die "symlink: $!";
$old->start;
# A mapping for a tablespace that the target has, too.
my $output = failback_ok($old, $new, options => ["--tablespace-mapping=$place/new=$place/mapped"]);
for my $warning (
	"tablespace \"pg_tblspc/$oid\" stays at \"$place/old\" (on the source it is at \"$place/new\")",
	"tablespace \"pg_tblspc/$oid\" is on the target already: its mapping to \"$place/mapped\" is not used",
	"tablespace \"pg_tblspc/$inside\" stays at \"$place/moved\" (on the source it is in the data directory)")
{
	like($output, qr/warning: \Q$warning\E.*need to copy/s, 'before anything is done: ' . $warning);
	is(scalar(() = $output =~ /\Q$warning\E/g), 1, 'and once');
}
is(readlink($old->data_dir . "/pg_tblspc/$oid"), "$place/old", 'the tablespace is where it was');
ends_equal($old, $new);

done_testing();
