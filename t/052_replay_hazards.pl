# WAL whose replay over files copied one by one would not give what the source has: a database's directory copied
# from another, a tablespace made at another place. Found before the commit; contents are compared instead.
# No twin by pg_rewind: pg_rewind's databases are wrong here; t/042 shows in which files.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind leaves wrong databases here' if is_pg_rewind();

# Copied and moved databases.
{
	my $old = start_primary('old', checksums => 1, conf => "allow_in_place_tablespaces = on\n");
	for my $name ('kept', 'moved')
	{
		$old->safe_psql('postgres', "CREATE DATABASE $name");
		$old->safe_psql($name, 'CREATE TABLE here AS SELECT i FROM generate_series(1, 1000) i');
	}
	$old->safe_psql('postgres', "CREATE TABLESPACE other LOCATION ''");
	my $new = add_standby('new', $old);
	promote($new);
	$new->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE kept STRATEGY file_copy');
	$_->safe_psql('kept', 'UPDATE here SET i = -i WHERE i % 7 = 0') for ($old, $new);
	$new->safe_psql('postgres', 'ALTER DATABASE moved SET TABLESPACE other');
	$new->safe_psql('postgres', 'CHECKPOINT');
	$old->stop('fast');
	refused_ok('--mode=wal with a copied database', $old->data_dir, qr/copies a database's directory/,
		'-D', $old->data_dir, '--source-server=' . source_conninfo($new), '--mode=wal');
	failback_ok($old, $new, like => qr/comparing contents, because .*copies a database's directory/);
	ends_equal($old, $new);
}

# A tablespace that only the source has, mapped to another place here; what else lies in a tablespace's location stays.
{
	my $place = PostgreSQL::Test::Utils::tempdir();
	mkdir "$place/$_" for ('old', 'new', 'source');
	my $old = start_primary('old_ts');
	$old->safe_psql('postgres', "CREATE TABLESPACE ts LOCATION '$place/old'");
	my @neighbour = ("$place/old/PG_14_202107181", "$place/old/PG_14_202107181/16384");
	mkdir $_ for @neighbour;
	append_to_file("$neighbour[1]/1259", 'x' x 8192);
	append_to_file("$place/old/README", 'mine');
	my $new = add_standby('new_ts', $old, options => [ '-T', "$place/old=$place/new" ]);
	promote($new);
	$new->safe_psql('postgres', "CREATE TABLESPACE late LOCATION '$place/source'");
	$new->safe_psql('postgres', 'CREATE TABLE l TABLESPACE late AS SELECT generate_series(1, 1000) i');
	$new->safe_psql('postgres', 'CHECKPOINT');
	$old->safe_psql('postgres', 'CREATE TABLE g AS SELECT 1');
	failback_ok($old, $new, compares => 1, options => ["--tablespace-mapping=$place/source=$place/mapped"]);
	my $oid = $new->safe_psql('postgres', "SELECT oid FROM pg_tablespace WHERE spcname = 'late'");
	is(readlink($old->data_dir . "/pg_tblspc/$oid"), "$place/mapped", 'the new tablespace is where it was mapped to');
	is(slurp_file("$neighbour[1]/1259"), 'x' x 8192, "another cluster's files in the tablespace's location stay");
	is(slurp_file("$place/old/README"), 'mine', "the administrator's file stays");
	ends_equal($old, $new);
}

done_testing();
