# An archive that is filled by plain copying hands out half a segment: the command is repeated, and if that does not help the
# run says which segment it is, or compares contents. Never a wrong result.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind takes half a segment for an error' if is_pg_rewind();

my $place = PostgreSQL::Test::Utils::tempdir;
my $archive = "$place/archive";
mkdir $archive;
my $old = start_primary('old', conf => "wal_keep_size = 0\nmin_wal_size = 32MB\nmax_wal_size = 64MB\n"
	  . "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/%f\"'\n");
create_upsert_table($old);
my $new = add_standby('new', $old, conf => "wal_keep_size = 1GB\narchive_mode = off\n");
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($new, 20);
my $first = last_wal_file($old);
wait_until('the first segment has been recycled', sub {
	$old->safe_psql('postgres', 'SELECT upsert(i) FROM generate_series(1, 2000) i; SELECT pg_switch_wal(); CHECKPOINT');
	return !-e $old->data_dir . "/pg_wal/$first";
});
$old->stop('fast');
ok(-e "$archive/$first", 'only the archive has the WAL of the common checkpoint');

# restore(NAME, half): a restore_command that notes what it was asked for, and hands out `half` as it says.
sub restore
{
	my ($name, $half) = @_;
	my $script = "$place/$name";
	append_to_file($script, <<"SH");
#!/bin/sh
echo "\$1" >> $place/$name.log
test -f "$archive/\$1" || exit 1
if $half
then head -c 5000000 "$archive/\$1" > "\$2"
else cp "$archive/\$1" "\$2"
fi
SH
	chmod 0755, $script or die "chmod: $!";
	return "--restore-command=$script %f %p";
}

# How often each file was asked for.
sub requests
{
	my ($name) = @_;
	my %count;
	$count{$_}++ for split /\n/, slurp_file("$place/$name.log");
	return \%count;
}

my $dir = $old->data_dir;
my @source = ('-D', $dir, '--source-server=' . source_conninfo($new));
my $for_ever = restore('for_ever', 'true');
refused_ok('half a segment for ever, --mode=wal', $dir, qr/WAL segment "[0-9A-F]{24}" from the archive is not complete.*5000000 bytes/s,
	@source, $for_ever, '--mode=wal', '--timeout=5');
cmp_ok((sort { $b <=> $a } values %{ requests('for_ever') })[0], '>=', 2, 'it was asked for again');
is(join(' ', grep { /\.(history|partial)$/ } keys %{ requests('for_ever') }), '', 'nothing but segments is asked for');
my $failing = restore('failing', 'kill -9 $$');
refused_ok('a command that is killed, --mode=wal', $dir, qr/restore_command for "[0-9A-F]{24}" ended with status/,
	@source, $failing, '--mode=wal');
is_deeply([ values %{ requests('failing') } ], [1], 'it is not run again');

# A command that hangs is named too, and that contents are compared instead is said.
my $hanging = restore('hanging', 'sleep 600; true');
refused_ok('a command that hangs, --mode=wal', $dir, qr/restore_command for "[0-9A-F]{24}" did not end within 5 seconds/,
	@source, $hanging, '--mode=wal', '--timeout=5');
my ($went, $told) = run_tool(@source, $hanging, '-n', '--timeout=5');
ok($went, 'a command that hangs, -n');
like($told, qr/comparing contents, because restore_command for "[0-9A-F]{24}" did not end within 5 seconds/, 'a command that hangs: the reason to compare');

# Fails at first, as when the archive cannot be reached for a moment: no reason to compare.
my $moment = restore('moment', 'false');
my $text = slurp_file("$place/moment");
$text =~ s/^(test -f .*)$/test \$(grep -c "\$1" $place\/moment.log) -ge 4 || exit 1\n$1/m;
unlink "$place/moment";
append_to_file("$place/moment", $text);
chmod 0755, "$place/moment" or die "chmod: $!";
($went, $told) = run_tool(@source, $moment, '-n', '--mode=wal');
ok($went, 'an archive that fails for a moment');
is(requests('moment')->{$first}, 4, 'is asked again');

# Whole, but of another place in the WAL.
my $other = "--restore-command=cp $archive/" . (sort grep { /^[0-9A-F]{24}$/ && $_ ne $first } files_below($archive))[0] . ' %p';
refused_ok('another segment under its name, --mode=wal', $dir,
	qr/error: the target cannot be brought level by WAL alone: WAL segment "[0-9A-F]{24}" from the archive is not complete.*begins with the page of/s,
	@source, $other, '--mode=wal', '--timeout=5');

# Of the right size from the start, as where the copy gets its room first: the rest is zeros still, or what an earlier file
# of that name had there. Cut within the records, not in what a switch has left empty.
my $cut = 200_000;
cmp_ok(length(slurp_file("$archive/$first") =~ s/\0+\z//r), '>', $cut + 8192, 'records are cut off');
append_to_file("$place/other_segment", slurp_file("$archive/" . (sort grep { /^[0-9A-F]{24}$/ && $_ ne $first } files_below($archive))[0]));
my %rest = (zeros => 'truncate -s 16777216 "$2"', stale => "tail -c +" . ($cut + 1) . " $place/other_segment >> \"\$2\"");
# Stale content is as good as another history, whose beginning is looked for in the source.
my %says = (zeros => qr/.*WAL segment "\S+\/$first"/, stale => qr/.*WAL/);
for my $kind (sort keys %rest)
{
	my $preallocated = restore($kind, 'true');
	my $script = slurp_file("$place/$kind");
	$script =~ s/^(then .*) 5000000 (.*)$/$1 $cut $2; $rest{$kind}/m or die $script;
	unlink "$place/$kind";
	append_to_file("$place/$kind", $script);
	chmod 0755, "$place/$kind" or die "chmod: $!";
	refused_ok("half a segment, the rest $kind, --mode=wal", $dir,
		qr/error: the target cannot be brought level by WAL alone: $says{$kind}/, @source, $preallocated, '--mode=wal', '--timeout=5');
	($went, $told) = run_tool(@source, $preallocated, '-n', '--timeout=5');
	ok($went, "half a segment, the rest $kind: -n");
	like($told, qr/comparing contents, because $says{$kind}/, "half a segment, the rest $kind: contents would be compared");
}

my $twin = PostgreSQL::Test::Cluster->new('twin');
command_ok([ 'cp', '-a', $dir, $twin->data_dir ], 'copy of the target');
mkdir $twin->archive_dir;
$twin->append_conf('postgresql.conf', 'port = ' . $twin->port . "\nunix_socket_directories = '" . $twin->host . "'");
$_->append_conf('postgresql.conf', 'archive_mode = off') for ($old, $twin);

# By default the contents are compared then.
failback_ok($twin, $new, options => [ $for_ever, '--timeout=5' ], compares => 1,
	like => qr/comparing contents, because .*WAL segment "[0-9A-F]{24}" from the archive is not complete/);

# Complete from the second or third time on.
my $at_first = restore('at_first', 'test $(grep -c "$1" ' . "$place/at_first.log) -lt 3");
failback_ok($old, $new, options => [$at_first], like => qr/servers diverged at/);
is(requests('at_first')->{$first}, 3, 'the third time it was whole');

ends_equal($_, $new) for ($twin, $old);

done_testing();
