# Offsets past 2 GB and relations of several segments: every block lands where it belongs. Earlier tools
# died on offset 2148254528, which a 32-bit integer cannot hold.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $high_offset = 2148254528;

# Writes `text` at an offset of a sparse file.
sub write_at
{
	my ($path, $offset, $text) = @_;
	open my $file, -e $path ? '+<:raw' : '>:raw', $path or die "could not open $path: $!";
	seek($file, $offset, 0);
	print $file $text;
	close $file;
	return;
}

sub read_at
{
	my ($path, $offset, $length) = @_;
	open my $file, '<:raw', $path or die "could not open $path: $!";
	seek($file, $offset, 0);
	read($file, my $text, $length);
	close $file;
	return $text;
}

my $old = start_primary('old', conf => "autovacuum = off\nmax_wal_size = 4GB\n");
# One row a page: more than 1 GB, two segments, with little WAL.
$old->safe_psql('postgres', <<'SQL');
CREATE TABLE wide (id int, t text) WITH (fillfactor = 10);
ALTER TABLE wide ALTER t SET STORAGE plain;
INSERT INTO wide SELECT i, repeat(md5(i::text), 23) FROM generate_series(1, 140000) i;
CREATE INDEX ON wide (id);
SQL
my $new = add_standby('new', $old);
promote($new);

my $path = $old->safe_psql('postgres', "SELECT pg_relation_filepath('wide')");
ok(-s $old->data_dir . "/$path.1", 'the table has a second segment');
# In both segments, on both sides; the new primary's grows, the old one's is cut within the first segment.
$old->safe_psql('postgres', "UPDATE wide SET t = 'old' WHERE id % 1000 = 1");
cut_off($old, 'wide', 'id > 120000', 1 << 30);
$new->safe_psql('postgres', "UPDATE wide SET t = 'new' WHERE id % 1500 = 1");
$new->safe_psql('postgres', 'INSERT INTO wide SELECT i, repeat(md5(i::text), 23) FROM generate_series(200001, 202000) i');

# A foreign file on both sides, equal up to the high offset.
write_at($_->data_dir . '/large.note', $high_offset, 'written by ' . $_->name) for ($old, $new);

failback_ok($old, $new, twin => 1);
is(-s $old->data_dir . '/large.note', -s $new->data_dir . '/large.note', 'the large file has its size');
is(read_at($old->data_dir . '/large.note', $high_offset, 14), 'written by new', 'and its content past 2 GB');
unlink "$_/large.note" for ($old->data_dir, $new->data_dir);
ends_equal($old, $new);

done_testing();
