# standby.signal and recovery.signal. Each server keeps its own, and a result with neither is warned of: a server started on it
# is no standby, but a second primary. Called as pg_rewind they are files as any other, and the result has those that
# pg_rewind itself leaves.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'the result is compared with that of pg_rewind' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
wait_streaming($mirror, $new);
promote($new);
upsert($_, 20) for ($old, $new);
$new->safe_psql('postgres', 'CHECKPOINT');
wait_streaming($mirror, $new);
$mirror->safe_psql('postgres', 'CHECKPOINT');
stop_clean($old);

my $dir = $old->data_dir;
my $aside = PostgreSQL::Test::Utils::tempdir . '/aside';
system('cp', '-a', $dir, $aside) == 0 or die "could not copy $dir";

# The target as it was when it was stopped, with these files.
sub restore
{
	my (@signals) = @_;
	system('rm', '-rf', $dir) == 0 && system('cp', '-a', $aside, $dir) == 0 or die "could not restore $dir";
	append_to_file("$dir/$_", '') for @signals;
	return;
}

sub signals { my ($root) = @_; return join ' ', grep { /^(standby|recovery)\.signal$/ } files_below($root); }

my $warning = qr/warning: the target has no standby\.signal: a server started on it becomes a second primary/;
for my $source ($new, $mirror)
{
	my $from = $source->name;
	# [options, signal files of the target, those of the result, whether the result is warned of]
	for my $row ([ [], '', '', 1 ], [ [], 'standby.signal', 'standby.signal', 0 ], [ [], 'recovery.signal', 'recovery.signal', 0 ],
		[ ['-R'], '', 'standby.signal', 0 ], [ ['--config-files=source'], 'standby.signal recovery.signal', undef, $source == $new ],
		[ ['--config-files=source'], '', undef, $source == $new ], [ [ '--config-files=source', '-R' ], '', 'standby.signal', 0 ])
	{
		my ($options, $before, $after, $warns) = @$row;
		my $what = "from $from, @$options, the target has '$before'";
		restore(split ' ', $before);
		if (!defined $after)
		{
			system('cp', '-a', $dir, "$aside.copy") == 0 or die "could not copy $dir";
			command_ok([ 'pg_rewind', '-N', '-D', "$aside.copy", '--source-server=' . $source->connstr('postgres') ], "$what: pg_rewind of a copy");
			$after = signals("$aside.copy");
			system('rm', '-rf', "$aside.copy");
			is($after, $source == $new ? '' : 'standby.signal', "$what: pg_rewind leaves the source's");
		}
		my ($succeeded, $output) = failback($old, $source, '-n', @$options);
		like($output, $warning, "$what, -n: warned") if $warns;
		unlike($output, $warning, "$what, -n: no warning") if !$warns;
		($succeeded, $output) = failback($old, $source, @$options);
		ok($succeeded, $what) or diag($output);
		is(signals($dir), $after, "$what: what is left of them");
		like($output, qr/$warning.*\z/s, "$what: warned at the end") if $warns;
		unlike($output, $warning, "$what: no warning") if !$warns;
	}
}

# What the warning says is so.
restore();
my ($succeeded, $output) = failback($old, $new);
like($output, qr/Done!.*$warning/s, 'warned after all else');
$old->start;
is($old->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'it is a primary');
is(timeline_of($old), timeline_of($new), 'on the timeline of the other');
$old->stop('immediate');

# A plain ancestor, too.
restore();
my $third = add_standby('third', $new);
stop_clean($third);
unlink $third->data_dir . '/standby.signal';
upsert($new, 5);
for my $options (['-n'], [])
{
	($succeeded, $output) = failback($third, $new, @$options);
	like($output, qr/no rewind required.*$warning/s, "no rewind required, @$options: warned");
}
append_to_file($third->data_dir . '/standby.signal', '');
unlike((failback($third, $new))[1], $warning, 'no rewind required, and it is a standby');

done_testing();
