# Files and directories that are none of PostgreSQL's. Those of the source arrive; what only the target has stays. With
# --config-files=source the target has exactly what the source has, as pg_rewind does it.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind has no other way than the source\'s' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 20) for ($old, $new);

# below(NODE): the files and directories that a scene like this makes, with their content.
sub extra_of
{
	my ($node) = @_;
	my $root = $node->data_dir;
	my %extra;
	for my $name (sort keys %{ fingerprint($root) })
	{
		next unless $name =~ /extra/;
		$extra{$name} = -d "$root/$name" ? 'directory' : substr(slurp_file("$root/$name"), -50) . -s _;
	}
	return \%extra;
}

sub make_extra
{
	my ($node, $name, $content) = @_;
	my $path = $node->data_dir . "/$name";
	return mkdir $path || die "could not make $path: $!" unless defined $content;
	append_to_file($path, $content);
	return;
}

for my $node ($old, $new)
{
	my $name = $node->name;
	for my $directory ('extra_both', "extra_$name")
	{
		make_extra($node, $directory);
		make_extra($node, "$directory/$_") for ('empty', 'sub');
		make_extra($node, "$directory/file of $name", "one of $name");
		make_extra($node, "$directory/sub/it's a \"file\"; \$(x)", "two of $name");
		make_extra($node, "$directory/sub/same", 'the same');
		make_extra($node, "$directory/sub/none", '');
		make_extra($node, "$directory/large", "of $name" x 300_000);
	}
	make_extra($node, 'extra at the top', "top of $name");
	make_extra($node, "pg_logical/extra_$name", "deeper of $name");
}
my %extra = map { $_->name => extra_of($_) } ($old, $new);
cmp_ok(scalar(keys %{ $extra{old} }), '>=', 16, 'there are extra files');
$old->stop('fast');
my $twin = PostgreSQL::Test::Cluster->new('twin');
command_ok([ 'cp', '-a', $old->data_dir, $twin->data_dir ], 'copy of the target');
mkdir $twin->archive_dir;
$twin->append_conf('postgresql.conf', 'port = ' . $twin->port . "\nunix_socket_directories = '" . $twin->host . "'");
my $conf = slurp_file($twin->data_dir . '/postgresql.conf');

# The checksum of a large one takes the source longer than one waits for a source that is silent (20 seconds here at the least).
my $dump = $new->data_dir . '/dump';
append_to_file($dump, '');
truncate $dump, 45 * 1024 * 1024 or die "truncate: $!";
my $since = time;
my ($succeeded, $output) = failback($old, $new, '-n', '--max-rate-read=2M', '--timeout=15');
ok($succeeded, 'a large file that is read slowly') or diag($output);
cmp_ok(time - $since, '>', 20, 'the source was longer at it than anybody waits for one that is silent');
unlink $dump;

failback_ok($old, $new, twin => 1);
my $now = extra_of($old);
my @own = grep { !exists $extra{new}{$_} } keys %{ $extra{old} };
# Beneath the server's own directories there is nothing but what the source has.
my @stays = grep { !/^pg_logical/ } @own;
cmp_ok(scalar(@stays), '>=', 9, 'some only the target has');
is(scalar(@own), @stays + 1, 'one of them among the files of the server');
is_deeply($now, { %{ $extra{new} }, map { $_ => $extra{old}{$_} } @stays }, "they stay, and the source's have arrived");

($succeeded, $output) = failback($twin, $new, '--config-files=source');
ok($succeeded, '--config-files=source') or diag($output);
is_deeply(extra_of($twin), $extra{new}, 'the extra files are those of the source');
is_deeply(extra_of($new), $extra{new}, 'the source has them as before');
unlink $twin->data_dir . '/postgresql.conf';
$twin->append_conf('postgresql.conf', "$conf\nprimary_conninfo = '" . $new->connstr . "'");
$twin->append_conf('standby.signal', '');
$twin->start;
ok(wait_streaming($twin, $new), 'streams');

ends_equal($_, $new) for ($twin, $old);

done_testing();
