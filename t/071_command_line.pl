# Wrong combinations of options end as they do with pg_rewind: the same message, the same exit status. And those that only
# pg_failback has are refused before anything is touched.
# No twin by pg_rewind: all runs end before anything is done; the messages of both are compared.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'both tools run here' if is_pg_rewind();

my $node = PostgreSQL::Test::Cluster->new('server');
$node->init;
my $dir = $node->data_dir;
my $source = '--source-server=host=' . $node->host . ' port=' . $node->port . ' dbname=postgres';
my $before = fingerprint($dir);

# (exit status, the error, the hint) without the program's name
sub complaint
{
	my ($program, @arguments) = @_;
	my $errors = '';
	IPC::Run::run([ $program, @arguments ], '<', \undef, '>', '/dev/null', '2>', \$errors);
	my $status = $? >> 8;
	my ($error) = $errors =~ /^\Q$program\E: error: (.*)$/m;
	my ($hint) = $errors =~ /^\Q$program\E: hint: (.*)$/m;
	s/\Q$program\E/PROGRAM/g for grep { defined } $error, $hint;
	return [ $status, $error, $hint ];
}

my @same = (
	[ 'no options' ],
	[ 'no source', '-D', $dir ],
	[ 'no target', $source ],
	[ 'no target, local source', '--source-pgdata', $dir ],
	[ 'two sources', '-D', $dir, $source, '--source-pgdata', $dir ],
	[ '-R without a server', '-D', $dir, '--source-pgdata', $dir, '-R' ],
	[ 'surplus arguments', '-D', $dir, $source, 'one', 'two' ],
	[ 'surplus arguments first', 'one', '-D', $dir, $source ],);
for my $case (@same)
{
	my ($what, @arguments) = @$case;
	my $expected = complaint('pg_rewind', @arguments);
	is($expected->[0], 1, "$what: pg_rewind refuses");
	is_deeply(complaint(tool(), @arguments), $expected, "$what: and so do we, in its words");
}

my @ours = (
	[ qr/unrecognized option "--nonsense"/, '--nonsense' ],
	[ qr/invalid option -- "x"/, '-x' ],
	[ qr/unrecognized option "--dry-run=yes"/, '--dry-run=yes' ],
	[ qr/option "-j" requires an argument/, '-j' ],
	[ qr/must be in range 1\.\.64/, '-j', '65' ],
	[ qr/invalid value "many"/, '--jobs=many' ],
	[ qr/unrecognized sync method: none/, '--sync-method=none' ],
	[ qr/invalid value "both"/, '--config-files=both' ],
	[ qr/invalid value "quick"/, '--mode=quick' ],
	[ qr/gzip/, '--compress=gzip' ],
	[ qr/--max-rate/, '--max-rate=0' ],
	[ qr/invalid value "1s"/, '--timeout=1s' ],
	[ qr/--create-slot needs a name/, '--create-slot' ],
	(map { [ qr/option $_ requires a value that is not empty/, "$_=" ] } '--slot', '--report', '--restore-command'),
	[ qr/option "--config" is ambiguous; it could be --config-file, --config-files/, '--config=/x' ],
	[ qr/could not create file "\/not\/there\.\d+\.tmp"/, '--report=/not/there' ],
	[ qr/could not write file "\/tmp": Is a directory/, '--report=/tmp' ],
	[ qr/invalid tablespace mapping format/, '--tablespace-mapping=/only' ],
	[ qr/not an absolute path/, '--tablespace-mapping=here=/there' ],);
for my $case (@ours)
{
	my ($pattern, @arguments) = @$case;
	my ($status, $error) = @{ complaint(tool(), '-D', $dir, $source, @arguments) };
	is($status, 1, "@arguments: exit status");
	like($error, $pattern, "@arguments: its message");
}
my ($status, $error) = @{ complaint(tool(), '-D', $dir, '--source-pgdata', "$dir/", '--slot=standby') };
is($status, 1, 'a slot on no server: exit status');
like($error, qr/--slot needs a running source/, 'a slot on no server: its message');
is(join(' ', changed_files($before, fingerprint($dir))), '', 'nothing changed by all that');

# A target that cannot even be opened is reported like every other failure.
my $report = PostgreSQL::Test::Utils::tempdir . '/report';
for my $command ([], ['diff'])
{
	unlink $report;
	is(complaint(tool(), @$command, '-D', "$dir/absent", $source, "--report=$report")->[0], 1, "@$command of an absent target: exit status");
	like(slurp_file($report), qr/"outcome": "failed".*"error": ".*absent/s, "@$command of an absent target: its report");
}

# Help and version win over whatever else is said, and need no server.
for my $arguments ([ '--help' ], [ '-?' ], [ '--help', '--nonsense' ], [ '-V' ], [ '--version' ], [ '-n', '--help' ])
{
	my ($output, $errors) = ('', '');
	ok(IPC::Run::run([ tool(), @$arguments ], '>', \$output, '2>', \$errors), "@$arguments succeeds");
	like($output, qr/^pg_failback /, "@$arguments: on standard output");
	is($errors, '', "@$arguments: and nothing else");
}

done_testing();
