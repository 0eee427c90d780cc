# pg_rewind and pg_failback on copies of the same target give the same standby: the same rows, and after
# recovery the same bytes in every relation's main fork. Other forks are left out: they are hints, which
# pg_rewind copies whole and pg_failback only where they differ.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'both tools run here' if is_pg_rewind();

# Neither readers nor vacuum may set a hint bit on one of the two alone: rows are looked at in the end.
my $old = start_primary('old', conf => "autovacuum = off\n");
create_upsert_table($old);
$old->safe_psql('postgres',
	"CREATE TABLE indexed AS SELECT i, md5(i::text) AS t, ARRAY[i % 7, i % 11] AS a, point(i, i) AS p FROM generate_series(1, 5000) i;"
	  . "CREATE INDEX ON indexed USING gin (a); CREATE INDEX ON indexed USING gist (p);"
	  . "CREATE INDEX ON indexed USING hash (t); CREATE INDEX ON indexed USING brin (i)");
upsert($old, 50);
my $new = add_standby('new', $old);
promote($new);
for my $node ($old, $new)
{
	upsert($node, 50);
	my $name = $node->name;
	$node->safe_psql('postgres', "UPDATE indexed SET t = '$name' || i, a = a || i, p = point(i, -i) WHERE i % 5 = 0;"
		  . "DELETE FROM indexed WHERE i % 7 = 3; CREATE TABLE by_$name AS SELECT i FROM generate_series(1, 3000) i");
	$node->safe_psql('postgres', 'VACUUM indexed');
}
$old->stop('fast');
$new->safe_psql('postgres', 'CHECKPOINT');

# The twin is the same old primary, for pg_rewind.
my $twin = PostgreSQL::Test::Cluster->new('twin');
command_ok([ 'cp', '-a', $old->data_dir, $twin->data_dir ], 'copy of the target');
my $conf = slurp_file($twin->data_dir . '/postgresql.conf');
command_ok([ 'pg_rewind', '-D', $twin->data_dir, '--source-server=' . $new->connstr('postgres') ], 'pg_rewind');
unlink $twin->data_dir . '/postgresql.conf';
$twin->append_conf('postgresql.conf',
	$conf . 'port = ' . $twin->port . "\nprimary_conninfo = '" . $new->connstr . "'");
$twin->append_conf('standby.signal', '');
$twin->start;

failback_ok($old, $new);
ok(wait_streaming($twin, $new), 'twin streams');
$_->stop('fast') for ($old, $twin);

my %main_fork = map { $_ => 1 } grep { /^(base\/\d+|global)\/\d+(\.\d+)?$/ } files_below($twin->data_dir), files_below($old->data_dir);
my @different;
for my $path (sort keys %main_fork)
{
	my @content = map { -e "$_/$path" ? slurp_file("$_/$path") : 'absent' } ($old->data_dir, $twin->data_dir);
	push @different, $path if $content[0] ne $content[1];
}
cmp_ok(scalar(keys %main_fork), '>', 200, 'many relation files were compared');
is("@different", '', 'they are all equal');
$_->start for ($old, $twin);
wait_streaming($twin, $new);
same_rows($twin, $new);
ends_equal($old, $new);

done_testing();
