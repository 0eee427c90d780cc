# What an interrupted run has staged outlives runs that end before they fetch anything: a slot that is not there, a right that
# is missing, a file that cannot be written. The run that comes to the work takes it over.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind stages nothing' if is_pg_rewind();

split_brain();
my $dir = $old->data_dir;
my $staging = "$dir/pg_failback.staging";
run_tool(failback_arguments());
remember_finished();
restore_target();

my $output = '';
my $run = failback_slowly($old, $new, \$output, '-R');
$run->signal('TERM');
$run->finish;
like($output, qr/the next run uses what was fetched so far/, 'interrupted while it fetches');
sub staged { my $bytes = 0; $bytes += -s $_ // 0 for glob("$staging/*blocks.*"), glob("$staging/*f[0-9]*"); return $bytes; }
my $fetched = staged();
cmp_ok($fetched, '>', 100_000, 'something is staged');

my ($file) = map { m{^\Q$dir\E/(.*)} } glob("$dir/pg_xact/0000");
my @trifles = (
	[ 'a slot that is not there', qr/replication slot "absent" does not exist/, sub { }, sub { }, '--slot=absent' ],
	[
		'a missing right', qr/may not execute functions of the extension/,
		sub { $new->safe_psql('postgres', "SELECT pg_failback_revoke('failback_user')") },
		sub { $new->safe_psql('postgres', "SELECT pg_failback_grant('failback_user')") }
	],
	[ 'a file that cannot be written', qr/could not write to directory "\S*global"/, sub { chmod 0500, "$dir/global" }, sub { chmod 0700, "$dir/global" } ],
	[ 'a source that cannot be reached', qr/connection to server at .* failed/, sub { }, sub { }, '--source-server=host=127.0.0.1 port=1', '--timeout=3' ]);
for (@trifles)
{
	my ($what, $message, $trouble, $mend, @options) = @$_;
	$trouble->();
	my ($succeeded, $said, $status) = run_tool(failback_arguments(@options));
	$mend->();
	is($status, 1, "$what: exit status 1");
	like($said, $message, "$what: its message");
	like($said, qr/the next run uses what was fetched so far/, "$what: what was fetched is kept");
	is(staged(), $fetched, "$what: all of it is there");
	is(state_of(), 'untouched', "$what: the target is what it was");
}
my ($succeeded, $said) = run_tool(failback_arguments('--report=-'));
ok($succeeded, 'the run that comes to the work') or diag($said);
my ($taken) = $said =~ /"taken_over": (\d+)/;
cmp_ok($taken // 0, '>', 50_000, 'takes over what was staged');
ok(!-e $staging, 'and removes it');
is_finished_ok('taken over after several failures');

# With nothing of an earlier run there is nothing to keep.
restore_target();
($succeeded, $said) = run_tool(failback_arguments('--slot=absent'));
ok(!$succeeded && !-e $staging, 'a first run that ends early leaves nothing');
unlike($said, qr/the next run uses/, 'and does not speak of it');

done_testing();
