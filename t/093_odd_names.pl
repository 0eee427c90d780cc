# Names that no server gives: on the target they are somebody else's and do not stop a failback, before its commit or after
# it; a source's that could not be written are left out or refused as long as nothing has been changed.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind removes such files, or does not' if is_pg_rewind();

split_brain();
my $dir = $old->data_dir;

# --- Of the target ---
# All of these lie where the run removes what the source does not have.
my @odd = ("base/1/a\nb", "pg_wal/x\ty", "Icon\r", "global/caf\xc2\x9bm", "base/1/" . ('\'"$(x)' x 20) . "\n", "odd\ndirectory/file",
	"pg_wal/archive_status/a\nb.ready");
for my $mode ([], ['--config-files=source'], [ '--config-files=source', '--mode=compare' ])
{
	my $what = join(' ', 'odd names', @$mode);
	restore_target();
	mkdir "$dir/odd\ndirectory";
	append_to_file("$dir/$_", 'not yours') for @odd;
	my ($succeeded, $output) = run_tool(failback_arguments(@$mode));
	ok($succeeded, "$what: completed") or diag($output);
	is(scalar(grep { -s "$dir/$_" } @odd), scalar(@odd), "$what: the files are where they were");
	my $told = () = $output =~ /^pg_failback: warning: "[^"].*" is left alone/mg;
	is($told, 5, "$what: five are named");
	like($output, qr/warning: "base\/1\/a\?b" is left alone/, "$what: one by a name that can be printed");
	like($output, qr/warning: 2 more files are left alone/, "$what: the others are counted");
	unlike($output, qr/[^\n\t\x20-\x7e]/, "$what: nothing that a terminal would obey");
	ok(!note_there() && !-e "$dir/pg_failback.staging", "$what: nothing of ours is left");
}
# The configuration is the source's now.
$old->append_conf('postgresql.conf',
	'port = ' . $old->port . "\nunix_socket_directories = '" . $old->host . "'");
starts_as_standby_ok('with odd names');

# --- Of the source: NAME.conf.source would be too long ---
restore_target();
my $parent = 'long';
$parent .= '/' . 'd' x 100 while length($parent) < 900;
$parent .= '/' . 'e' x (1012 - length($parent));
# As deep as no path given at once can be.
my $root = $new->data_dir;
chdir $root or die "chdir: $!";
for my $part (split m{/}, $parent) { mkdir $part; chdir $part or die "chdir: $!"; }
append_to_file('a.conf', "a = 1\n");
chdir $root or die "chdir: $!";
append_to_file('n' x 250 . '.conf', "b = 1\n");
chdir $PostgreSQL::Test::Utils::tmp_check or die "chdir: $!";
my ($succeeded, $output) = run_tool(failback_arguments());
ok($succeeded, 'a name too long for a copy beside: completed') or diag(substr($output, -3000));
my $left_out = () = $output =~ /warning: "\S+\.conf" of the source is not written beside the target's: the name is too long/g;
is($left_out, 2, 'both files are said to be left out');
starts_as_standby_ok('with names too long');

done_testing();
