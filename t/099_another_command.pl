# A run is killed after its commit, and another command comes next: with -R, for another source, for one that is none, with a
# slot. It completes that run first, which needs no source, and then does what it was asked for or says that it did not.
# No twin by pg_rewind: pg_rewind completes nothing.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

needs_injection();

split_brain();
my $dir = $old->data_dir;
# A second failover has come to $third already; $new does not know of it.
my $third = add_standby('third', $new, options => [ '-T', $new->safe_psql('postgres', "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'space'") . '=' . PostgreSQL::Test::Utils::tempdir() ]);
promote($third);
for my $node ($new, $third)
{
	my $name = $node->name;
	$node->safe_psql('postgres', "UPDATE kept SET t = 'later on $name' WHERE id % 30 = 0; CREATE TABLE later_on_$name AS SELECT i FROM generate_series(1, 3000) i; CHECKPOINT");
}

my @plain = ('-D', $dir, '--source-server=' . source_conninfo($new), '-j', '1');
my ($commit) = map { { %$_, when => $_->{when} + 1 } } grep { $_->{text} =~ /"pg_control\.old"/ } traced_calls('renameat', @plain);
ok(!-e "$dir/standby.signal", 'without -R there is no standby.signal');

# The target as the killed run leaves it, then this command: (succeeded, output)
sub killed_then
{
	my ($what, @arguments) = @_;
	restore_target();
	run_with($commit, 'signal=KILL', @plain);
	is(state_of(), 'committed', "$what: the run before was killed after its commit");
	my ($succeeded, $output) = run_tool('-D', $dir, @arguments);
	like($output, qr/completing the run that was interrupted.*the interrupted run is complete/s, "$what: it is completed");
	return ($succeeded, $output);
}

my $to_new = '--source-server=' . source_conninfo($new);
my ($succeeded, $output) = killed_then('the same', $to_new, '--report=-');
ok($succeeded, 'the same: succeeds') or diag($output);
like($output, qr/the target is level with the source/, 'the same: has asked the source');
like($output, qr/the target has no standby\.signal/, 'the same: warns');
like($output, qr/"outcome": "done"/, 'the same: the report does not say that there was nothing to do');

# Whatever the shell's umask is.
umask 0;
($succeeded, $output) = killed_then('-R', $to_new, '-R', '--slot=returned', '--create-slot');
ok($succeeded, '-R: succeeds') or diag($output);
ok(-e "$dir/standby.signal", '-R: standby.signal is there');
is($new->safe_psql('postgres', "SELECT restart_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'returned'"), 't', '-R: so is the slot');
is(join(' ', grep { !-l "$dir/$_" && (stat "$dir/$_")[2] & 0077 } files_below($dir)), '', '-R: nobody else may read what is there');
umask 0077;
starts_as_standby_ok('-R');
$new->safe_psql('postgres', "SELECT pg_drop_replication_slot('returned')");

($succeeded, $output) = killed_then('-R without the source', unreachable(), '-R');
ok(!$succeeded, '-R without the source: fails');
like($output, qr/error: the interrupted run is complete, but -R could not be carried out: .*port 1 failed/, '-R without the source: says so');
like($output, qr/hint: .*second primary/, '-R without the source: and what not to do');
($succeeded, $output) = run_tool('-D', $dir, $to_new, '-R');
ok($succeeded, '-R without the source: done when it can be reached') or diag($output);
starts_as_standby_ok('-R without the source');

($succeeded, $output) = killed_then('a slot without the source', unreachable(), '--slot=returned', '--create-slot');
ok(!$succeeded, 'a slot without the source: fails');
like($output, qr/error: the interrupted run is complete, but whether the slot is there could not be found out: /, 'a slot without the source: says so');

($succeeded, $output) = killed_then('without the source', unreachable());
ok($succeeded, 'without the source: succeeds') or diag($output);
like($output, qr/warning: .* the source could not be asked whether the target is level with it: .*port 1 failed/, 'without the source: and warns');
like($output, qr/warning: the target has no standby\.signal/, 'without the source: of this too');

my $stranger = start_primary('stranger');
($succeeded, $output) = killed_then('a stranger', '--source-server=' . source_conninfo($stranger));
ok(!$succeeded, 'a stranger: fails');
like($output, qr/error: source and target clusters are from different systems/, 'a stranger: says why');
$stranger->stop('fast');

($succeeded, $output) = killed_then('a directory that is not there', "--source-pgdata=$dir.not_there");
ok($succeeded, 'a directory that is not there: succeeds');
like($output, qr/warning: .* the source could not be asked.*not_there/, 'a directory that is not there: and warns');

for my $mode ('auto', 'compare')
{
	($succeeded, $output) = killed_then("another source ($mode)", '--source-server=' . source_conninfo($third), '-R', "--mode=$mode");
	ok($succeeded, "another source ($mode): succeeds") or diag($output);
	$old->start(fail_ok => 1) or die 'the target does not start';
	ok(wait_streaming($old, $third), "another source ($mode): streams from it");
	same_rows($old, $third);
	is($old->safe_psql('postgres', 'SELECT count(*) FROM later_on_third'), 3000, "another source ($mode): has what only that one has");
	$old->stop('fast');
}

done_testing();
