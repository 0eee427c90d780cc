# The end of recovery is a place that recovery reaches, on an idle source too, where the next record would begin just after a
# page's header: no record ends there, and a standby that waited for it would wait for ever.
# No twin by pg_rewind: the end that it takes may be such a place.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# As quiet as a server can be: the background writer logs a snapshot now and then.
my $old = start_primary('old', conf => "autovacuum = off\nbgwriter_delay = 10s\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 20) for ($old, $new);
$old->stop('fast');
my $twin = PostgreSQL::Test::Cluster->new('twin');
command_ok([ 'cp', '-a', $old->data_dir, $twin->data_dir ], 'copy of the target');
mkdir $twin->archive_dir;
$twin->append_conf('postgresql.conf', 'port = ' . $twin->port . "\nunix_socket_directories = '" . $twin->host . "'");
$new->safe_psql('postgres', 'CHECKPOINT');

sub position { return $new->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '0/0'"); }

# A message in WAL, of so many bytes; the position after it.
sub message
{
	my ($bytes) = @_;
	$new->safe_psql('postgres', "SELECT pg_logical_emit_message(false, 'x', repeat('y', $bytes))");
	return position();
}

# Messages up to the very end of a page.
sub fill_page
{
	for (1 .. 20)
	{
		my $before = position();
		my $after = message(500);
		my $room = 8192 - $after % 8192;
		# A message of 500 bytes may itself have gone over to the next page.
		next if int($before / 8192) != int($after / 8192) || $room < 1000;
		my $overhead = $after - $before - 500;
		return if message($room - $overhead) % 8192 == 24;
	}
	die 'the page was not filled';
}

my %place = (
	'a page was filled' => [ $old, \&fill_page, 8192, 24 ],
	'a segment was switched' => [ $twin, sub { $new->safe_psql('postgres', 'SELECT pg_switch_wal()'); }, 16 * 1024 * 1024, 40 ]);
for my $what (sort keys %place)
{
	my ($target, $prepare, $unit, $header) = @{ $place{$what} };
	# Something else may write in between.
	my $position;
	for (1 .. 10)
	{
		$prepare->();
		$position = position();
		last if $position % $unit == $header;
	}
	is($position % $unit, $header, "$what: the source's position is just after a header");
	failback_ok($target, $new, start => 0);
	# Whether by WAL or by contents: nothing more is written until it accepts connections.
	$target->start(fail_ok => 1) or die "$what: the standby does not become consistent";
	ok($target->poll_query_until('postgres', 'SELECT pg_is_in_recovery()'), "$what: the standby is consistent");
	ok(wait_streaming($target, $new), "$what: it streams");
}

upsert($new, 20);
ends_equal($_, $new) for ($old, $twin);

done_testing();
