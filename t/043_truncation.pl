# Tables truncated, cut short, rewritten and grown back, on either side and on both.
use strict;
use warnings;
use FailbackTest;
use Test::More;

my $old = start_primary('old', conf => "autovacuum = off\n");
my @tables = map { ("by_$_\_truncate", "by_$_\_vacuum", "by_$_\_full") } ('old', 'new', 'both');
for my $table (@tables)
{
	$old->safe_psql('postgres', "CREATE TABLE $table (id int PRIMARY KEY, t text);"
		  . "INSERT INTO $table SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 10000) i");
}
my $new = add_standby('new', $old);
promote($new);
for my $node ($old, $new)
{
	my ($name, $grown) = $node->name eq 'old' ? ('old', 7000) : ('new', 9000);
	for my $who ($name, 'both')
	{
		$node->safe_psql('postgres', "TRUNCATE by_${who}_truncate; DELETE FROM by_${who}_full WHERE id % 2 = 0");
		cut_off($node, "by_${who}_vacuum", 'id > 2000');
		$node->safe_psql('postgres', "VACUUM FULL by_${who}_full");
	}
	$node->safe_psql('postgres', "INSERT INTO $_ SELECT i, repeat('$name', 80) FROM generate_series(20001, 20000 + $grown) i")
	  for @tables;
}
failback_ok($old, $new, twin => 1);
ends_equal($old, $new);

done_testing();
