# A name behind which there are several servers, as of a load balancer: each connection may lead to another standby, whose
# pages are of another moment. The first connection chooses; one that leads elsewhere ends the run, and the target is what
# it was. No twin: pg_rewind has only one connection.
use strict;
use warnings;
use FailbackTest;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind has only one connection' if is_pg_rewind();

my $old = start_primary('old', conf => "autovacuum = off\n");
# The extension is in database postgres only.
$old->safe_psql('postgres', 'CREATE DATABASE elsewhere');
create_upsert_table($old);
$old->safe_psql($_, 'CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 20000) i') for ('postgres', 'elsewhere');
my $new = add_standby('new', $old);
my $mirror = add_standby('mirror', $new);
my $late = add_standby('late', $new);
promote($new);
$_->safe_psql('postgres', "UPDATE t SET m = md5(m) WHERE i % 3 = 0") for ($old, $new);
$_->safe_psql('elsewhere', "UPDATE t SET m = md5(m) WHERE i % 7 = 0") for ($old, $new);
wait_streaming($_, $new) for ($mirror, $late);
# It has the divergence behind it, and nothing of what comes now.
$late->append_conf('postgresql.conf', "recovery_min_apply_delay = '1h'\n");
$late->reload;
$late->poll_query_until('postgres', "SELECT current_setting('recovery_min_apply_delay') = '1h'") or die 'the setting does not come';
$new->safe_psql('postgres', "UPDATE t SET m = md5(m) WHERE i % 5 = 0");
$new->safe_psql('elsewhere', 'CREATE TABLE u AS SELECT i FROM generate_series(1, 10000) i');
wait_streaming($mirror, $new);
is($late->safe_psql('elsewhere', "SELECT to_regclass('u') IS NULL"), 't', 'the other standby is behind');
$old->stop('fast');
my $untouched = fingerprint($old->data_dir);

# through([options of the relay], options of the tool): (succeeded, output, connections)
sub through
{
	my ($options, @options) = @_;
	my $relay = Relay->start($mirror, @$options);
	my ($succeeded, $output) = run_tool(@options, '-D', $old->data_dir, '--source-server=' . $relay->conninfo, '--timeout=20');
	return ($succeeded, $output, $relay->stop->{connections});
}

# ends_ok(WHAT, [options of the relay], options of the tool)
sub ends_ok
{
	my ($what, $options, @options) = @_;
	my ($succeeded, $output) = through($options, @options);
	ok(!$succeeded, "$what: the run ends");
	like($output, qr/error: the connection string led to another server than before\n.*detail: Host "127\.0\.0\.1" port \d+ leads to more than one server.*hint: .*name one server/s,
		"$what: its message");
	my @changed = changed_files($untouched, fingerprint($old->data_dir));
	is("@changed", '', "$what: the target is untouched");
	return;
}

my @by_turns = (route => sub { return $_[0] % 2 ? $mirror : $late; });
ends_ok('by turns', \@by_turns);
ends_ok('by turns, one reader', \@by_turns, '-j', 1);
ends_ok('by turns, comparing', \@by_turns, '--mode=compare');
ends_ok('by turns, looking only', \@by_turns, '-n', '--mode=compare');
ends_ok('by turns, the other first', [ route => sub { return $_[0] % 2 ? $late : $mirror; } ]);

# broken_at(COLUMN, NUMBER, TROUBLE, SERVER): all connections break in that row of the results that have this column; then
# TROUBLE happens, and further connections lead to that server.
sub broken_at
{
	my ($column, $number, $trouble, $then) = @_;
	my $seen = 0;
	my $broken = 0;
	return [
		route => sub { return $broken ? $then : $mirror; },
		cut_at => sub {
			my ($m) = @_;
			return 0 if $m->{type} ne 'D' || !grep({ $_ eq $column } @{ $m->{columns} }) || ++$seen != $number;
			$trouble->();
			return $broken = 1;
		} ];
}

my $nothing = sub { };
ends_ok('broken in the list of files', broken_at('link_target', 300, $nothing, $late));
ends_ok('broken in the content', broken_at('first_range', 2, $nothing, $late));
ends_ok('broken in the checksums', broken_at('range_index', 1, $nothing, $late), '--mode=compare');

# --- Names in a report ---
my ($succeeded, $output, $connections) = through([], 'diff');
ok($succeeded && $output =~ /elsewhere: public\.t|public\.t.*elsewhere|elsewhere.*public\.t/, 'diff names relations of the other database') or diag($output);
($succeeded, $output) = through([ route => sub { return $_[0] == $connections ? $late : $mirror; } ], 'diff');
ok($succeeded, 'diff does without names that another server would tell') or diag($output);
like($output, qr/no names of relations in database "elsewhere": the connection string led to another server than before/, 'and says so');

# --- The same server, restarted ---
my $restart = sub {
	my @pg_ctl = ('pg_ctl', '-s', '-w', '-D', $mirror->data_dir);
	system(@pg_ctl, '-m', 'immediate', 'stop') == 0 or print STDERR "# could not stop the source\n";
	system(@pg_ctl, '-l', $mirror->logfile, 'start') == 0 or print STDERR "# could not start the source\n";
};
for ([ 'the list of files', 'link_target', 300 ], [ 'the content', 'first_range', 2 ])
{
	my ($what, @where) = @$_;
	($succeeded, $output) = through(broken_at(@where, $restart, $mirror), $what eq 'the content' ? () : '-n');
	ok($succeeded, "restarted in $what: it goes on") or diag($output);
	$mirror->_update_pid(1);
}
$old->append_conf('postgresql.conf', "primary_conninfo = '" . $mirror->connstr . "'");
$old->append_conf('standby.signal', '');
$old->start;
ok(wait_streaming($old, $mirror), 'the target streams');
ends_equal($old, $mirror, writer => $new);

done_testing();
