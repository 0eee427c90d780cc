# A source that lies: a relay changes what a real one answers. Whatever it sends, the tool ends with an error, the target is
# what it was, nothing outside of it is written or removed, and memory stays bounded.
# No twin by pg_rewind: no lie may end in a result that could be compared.
use strict;
use warnings;
use FailbackTest;
use FaultScene;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Utils;
use Relay;
use Test::More;

plan skip_all => 'pg_rewind asks in another way' if is_pg_rewind();

split_brain();
my $target = $old->data_dir;
my $outside = PostgreSQL::Test::Utils::tempdir;
mkdir "$outside/$_" for ('canary', 'canary/empty', 'canary/full', 'canary/full/PG_15');
append_to_file("$outside/canary/file", "not yours\n");
symlink $target, "$outside/canary/way_in" or die "symlink: $!";
my $version = $new->safe_psql('postgres',
	"SELECT path FROM pg_failback_manifest() WHERE path ~ '^pg_tblspc/\\d+/[^/]+\$'") =~ s{.*/}{}r;
my %was = (target => fingerprint($target), outside => fingerprint("$outside/canary"));
my $report = "$outside/report.json";
my %seen = (tried => 0, peak => 0);
my $space = $new->safe_psql('postgres', "SELECT oid FROM pg_tablespace WHERE spcname = 'space'");

# lie_ok(WHAT, REGEX, REWRITE, options => [...], before => [command before the tool])
sub lie_ok
{
	my ($what, $pattern, $rewrite, %option) = @_;
	my $relay = Relay->start($new, rewrite => $rewrite);
	unlink $report;
	my $output = '';
	IPC::Run::run(
		[
			@{ $option{before} // [] }, tool(), '-D', $target, '--source-server=' . $relay->conninfo, '-R', '--timeout=30',
			"--report=$report", @{ $option{options} // [] }
		],
		'<', \undef, '>', \$output, '2>&1');
	my $status = $? >> 8;
	$relay->stop;
	note("$what\n$output");
	$seen{tried}++;
	is($status, 1, "$what: exit status 1");
	like($output, $pattern, "$what: its message") or diag($output);
	unlike($output, qr/[^\n\t\x20-\x7e\xff]/, "$what: nothing in it that a terminal would obey");
	my @changed = changed_files($was{target}, fingerprint($target));
	push @changed, changed_files($was{outside}, fingerprint("$outside/canary"));
	is("@changed", '', "$what: nothing changed");
	restore_target() if @changed;
	my ($peak) = slurp_file($report) =~ /"peak_memory_bytes": *(\d+)/;
	$seen{peak} = $peak if $peak > $seen{peak};
	cmp_ok($peak, '<', 400e6, "$what: memory stays bounded");
	return;
}

# The first row of a result that has this column is changed: by name, or by a sub.
sub changed_row
{
	my ($column, %change) = @_;
	my $done;
	return sub {
		my ($m) = @_;
		return undef if $m->{type} ne 'D' || $done || !grep { $_ eq $column } @{ $m->{columns} };
		$done = 1;
		my %at = map { $m->{columns}[$_] => $_ } 0 .. $#{ $m->{columns} };
		$m->{values}[ $at{$_} ] = $change{$_} for keys %change;
		return data_row(@{ $m->{values} });
	};
}

# Before or instead of the first row of such a result (of each one: always => 1), these bytes are sent.
sub sends
{
	my ($column, $bytes, %option) = @_;
	my $done;
	return sub {
		my ($m) = @_;
		return undef if $m->{type} ne 'D' || ($done && !$option{always}) || !grep { $_ eq $column } @{ $m->{columns} };
		$done = 1;
		return $bytes . ($option{instead} ? '' : data_row(@{ $m->{values} }));
	};
}

# The same bytes again and again, until the tool hangs up. `$next` makes them, or they are a string.
sub sends_for_ever
{
	my ($column, $next) = @_;
	my $done;
	return sub {
		my ($m) = @_;
		return undef if $m->{type} ne 'D' || $done || !grep { $_ eq $column } @{ $m->{columns} };
		$done = 1;
		while ($m->{send}->(ref $next ? $next->($m) : $next)) { }
		return '';
	};
}

# A row of the manifest.
sub entry
{
	my ($path, $kind, %more) = @_;
	return data_row($path, $kind // 'f', int8($more{size} // 10), int4(0600), int8($more{time} // 0), $more{link}, undef);
}

sub lists { my @entries = @_; return sends('link_target', join('', @entries)); }

my $unacceptable = qr/error: path ".*" is not acceptable/;
my $no_server = qr/error: the source listed ".*", which no server has/;

# --- Before one is logged in ---
{
	my $place = PostgreSQL::Test::Utils::tempdir_short;
	my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "$place/.s.PGSQL.5432", Listen => 5) or die "socket: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		while (my $client = $listener->accept)
		{
			$client->sysread(my $startup, 8192);
			my $notice = "SWARNING\0VWARNING\0C01000\0M\e]0;mine\a\e[31mpg_failback: all is well\0\0";
			$client->syswrite(pack('CNN', ord('R'), 8, 0) . pack('CN', ord('N'), 4 + length $notice) . $notice);
			$client->sysread(my $rest, 8192);
		}
		POSIX::_exit(0);
	}
	my ($succeeded, $output) = run_tool('-D', $target, "--source-server=host=$place port=5432 user=x dbname=x", '--timeout=5');
	kill 'KILL', $pid;
	waitpid $pid, 0;
	ok(!$succeeded, 'a notice before the login: fails');
	unlike($output, qr/all is well|\e/, 'a notice before the login: is not shown');
	is(join(' ', changed_files($was{target}, fingerprint($target))), '', 'a notice before the login: nothing changed');
}

# --- Names ---
lie_ok("a path with $_->[0]", $unacceptable, lists(entry($_->[1]))) for (
	[ '".."', '../canary/file' ],
	[ '".." in the middle', 'base/../../canary/file' ],
	[ 'a slash at its front', "$outside/canary/file" ],
	[ 'a NUL', "base/a\0b" ],
	[ 'a line end', "base/a\nwarning: all is well" ],
	[ 'what a terminal obeys', "base/\e[2J" ],
	[ 'the same in UTF-8', "base/\xc2\x9b2J" ],
	[ 'more than 1023 bytes', 'base/' . join('/', ('a' x 200) x 6) ],
	[ 'a name of 256 bytes', 'base/' . 'a' x 256 ],
	[ 'nothing in it', '' ]);
lie_ok('a link where no server has one', $no_server,
	lists(entry('base/evil', 'l', link => "$outside/canary"), entry('base/evil/file')));
lie_ok('a file behind a tablespace link', $no_server,
	lists(entry('pg_tblspc/99999', 'l', link => "$outside/canary"), entry('pg_tblspc/99999/file')));
lie_ok("a tablespace's location that is $_->[0]", $no_server, lists(entry('pg_tblspc/99999', 'l', link => $_->[1]))) for (
	[ 'relative', 'canary/empty' ], [ 'relative and leads up', '../canary/empty' ], [ 'empty', '' ],
	[ 'of two lines', "$outside/canary/empty\n" ], [ 'for a terminal', "$outside/canary/empty\xc2\x9b2J" ], [ 'too long', '/' . 'a/' x 600 . 'a' ]);
lie_ok("a tablespace's location that $_->[0]", $_->[2] // qr/"\Q$_->[1]\E" is no place for it/,
	lists(entry('pg_tblspc/99999', 'l', link => $_->[1]), entry("pg_tblspc/99999/$version", 'd'))) for (
	[ 'has ".."', "$outside/canary/full/../empty" ],
	[ 'is the data directory', $target ],
	[ 'lies in the data directory', "$target/base/new" ],
	[ 'lies in the data directory behind a link', "$outside/canary/way_in/new" ],
	[ 'is pg_wal', "$target/pg_wal" ],
	[ "lies in another tablespace's", readlink("$target/pg_tblspc/$space") . '/new' ],
	[ 'is not empty', "$outside/canary/full", qr/directory "\Q$outside\E\/canary\/full" is not empty/ ],
	[ 'cannot be made', "$outside/canary/none/none", qr/cannot be created/ ],
	[ 'is a file', "$outside/canary/file", qr/is not a directory/ ]);
lie_ok('a file without its directory', $no_server, lists(entry('nowhere/file')));
lie_ok("a directory where $_ has to be", $no_server, lists(entry($_, 'd'))) for ('standby.signal', 'recovery.signal');
lie_ok('a file in a directory that is not taken', qr/directory "\Q$target\E\/some\.key" does not exist/,
	lists(entry('some.key', 'd'), entry('some.key/file')));
lie_ok('a file twice', qr/error: the source listed "PG_VERSION" twice/, lists(entry('PG_VERSION')));
lie_ok('a file where a directory is', qr/error: the source listed "base(\/\d+)?"/, changed_row('link_target', path => 'base', kind => 'f', size => int8(1)));
lie_ok('a kind of file that there is not', qr/error: the source listed "odd" as something unknown/, lists(entry('odd', 'x')));
lie_ok('a tablespace directory of another cluster', $no_server,
	lists(entry('pg_tblspc/99999', 'l', link => "$outside/canary/empty"), entry('pg_tblspc/99999/PG_99_1', 'd')));

# --- Sizes and shapes ---
lie_ok("a size of $_->[0]", $_->[2] // qr/error: the source listed "big" with an impossible size/, lists(entry('big', 'f', size => $_->[1]))) for (
	[ '-1', -1 ], [ '2^63 - 1', 9223372036854775807 ], [ '2^53', 2**53, qr/not enough space/ ]);
lie_ok('a time after all times', qr/error: the source listed "big" with an impossible time/, lists(entry('big', 'f', time => 9223372036854775807)));
lie_ok('sizes whose sum overflows', qr/error: the source lists files of an impossible size/,
	lists(map { entry("big$_", 'f', size => 2**53) } 1 .. 2000));
lie_ok('a null for a path', qr/error: the source sent a null/, changed_row('link_target', path => undef));
lie_ok('a number as text', qr/error: the source sent a value of unexpected size/, changed_row('link_target', size => '12345'));
lie_ok('a checksum of 17 bytes', qr/error: the source sent a checksum of unexpected size/, changed_row('link_target', checksum => 'x' x 17));

# --- Endless streams ---
lie_ok('an endless manifest', qr/error: the source lists too many files for this machine's memory/,
	sends_for_ever('link_target', join('', map { entry("$_/" . 'a' x 250) } 1 .. 1000)),
	before => [ 'prlimit', '--as=1000000000' ]);
# No faster than it is read: libpq reads one message of up to 1 GB for as long as there is more of it, without coming back to us.
lie_ok('a field without end', qr/error: the source sent more at once than agreed/,
	sends_for_ever('link_target', do { my $begun; sub { if ($begun++) { $_[0]->{wait_read}->(); return 'x' x 500_000; } pack('aNnN', 'D', 1_000_000_000, 7, 900_000_000) } }));
lie_ok('notices without end', qr/error: the source sent more at once than agreed/,
	sends_for_ever('control_file', message('N', "SNOTICE\0C00000\0M" . 'a' x 10000 . "\0\0") x 20));
lie_ok('settings without end', qr/error: the source sent more at once than agreed/,
	sends_for_ever('control_file', do { my $n = 0; sub { join '', map { message('S', 'setting' . $n++ . "\0" . 'a' x 10000 . "\0") } 1 .. 20 } }));
lie_ok('settings without end before the first query', qr/error: the source sent more at once than agreed/, do {
	my $n = 0;
	sub {
		my ($m) = @_;
		return undef if $m->{type} ne 'S';
		while ($m->{send}->(join '', map { message('S', 'setting' . $n++ . "\0" . 'a' x 10000 . "\0") } 1 .. 20)) { }
		return '';
	} });
lie_ok('states without end', qr/error: the source sent more rows than agreed/, sends_for_ever('control_file', data_row(('1') x 13)));
lie_ok('a timeline history that is too long', qr/error: the source sent a timeline history that is too long/,
	changed_row('control_file', history => "1\t0/1\twhy\n" x 2_000_000));

# --- State ---
lie_ok("pg_control $_->[0]", $_->[2] // qr/error: .*pg_control of the source/, changed_row('control_file', control_file => $_->[1])) for (
	[ 'of no bytes', '' ], [ 'of one byte', 'x' ], [ 'of other bytes', 'x' x 8192 ], [ 'of 100 kB', "\0" x 100_000 ]);
lie_ok("timeline $_", qr/error: the source sent a timeline number that is out of range/, changed_row('control_file', timeline => int8($_)))
  for (0, -1, 2**32 + 1);
lie_ok('a history that is none', qr/error: .*timeline history of the source/, changed_row('control_file', history => "\0\e[31m" x 100));
lie_ok("a log directory \"$_\"", qr/error: the source names a log directory that it cannot have/, changed_row('control_file', log_directory => $_))
  for ('base', '../canary', '/', 'pg_wal/x');
lie_ok("current WAL position $_", qr/error: .*(WAL|timeline)/, changed_row('control_file', current_lsn => int8($_))) for (0, -1);
lie_ok("end of recovery $_", qr/error: .*(WAL|cannot be)/, changed_row('lsn', lsn => int8($_)))
  for (0, -1, 2**62);
lie_ok('an end of recovery on another timeline', qr/error: the source was promoted/, changed_row('lsn', timeline => int8(99)));

lie_ok("an identity $_->[0]", $_->[2] // qr/error: the source did not tell which server it is/, changed_row('pg_failback_server_id', pg_failback_server_id => $_->[1])) for (
	[ 'of null', undef ], [ 'of nothing', '' ], [ 'that is too long', 'x' x 65 ],
	[ 'that is another later', 'x', qr/error: the connection string led to another server than before/ ]);

lie_ok('a version that is coloured', qr/error: extension "pg_failback" .* has version \?\[31m9, but/, changed_row('extversion', extversion => "\e[31m9"));
lie_ok('missing functions that are coloured', qr/detail: Missing: \?\[31mx/, changed_row('string_agg', string_agg => "\e[31mx"));

# --- Answers of another kind ---
my $message = 'a' x 20_000 . "\e[31m";
lie_ok('an error message that is long and coloured', qr/error: the source reported an error: a+/,
	sends('link_target', message('E', "SERROR\0VERROR\0CXX000\0M$message\0D\e[31m\0\0"), instead => 1));
lie_ok('a COPY instead of rows', qr/error: the source sent an answer of another kind than agreed/,
	sends('link_target', message('H', pack('Cn', 1, 0)) . message('d', 'x' x 1000), instead => 1));
lie_ok('a COPY instead of a row', qr/error: the source sent an answer of another kind than agreed/,
	sends('control_file', message('H', pack('Cn', 1, 0)) . message('d', 'x' x 1000), instead => 1));
lie_ok('what is no message', qr/error: /, sends('control_file', "\xff" x 1000, instead => 1, always => 1));

# --- Content ---
# A row of pg_failback_read_chunks with a right checksum: the source computes it, of a file with what is summed up.
sub chunk_row
{
	my (%row) = (first_range => 1, start => 0, results => [1], finished => 1, compression => 0, raw_size => 1, payload => 'x', @_);
	my $summed = pack('l<q<l<', $row{first_range}, $row{start}, scalar(@{ $row{results} })) . pack('(q<)*', @{ $row{results} })
	  . pack('Cs<l<', $row{finished}, $row{compression}, $row{raw_size}) . $row{payload};
	my $path = $new->data_dir . '/summed_up';
	unlink $path;
	append_to_file($path, $summed);
	my $sum = $new->safe_psql('postgres', "SELECT checksum FROM pg_failback_chunk_checksums('summed_up', 0, 10000000, 10000000)");
	unlink $path;
	$row{first_range}++ if $row{moved};
	return data_row(int4($row{first_range}), int8($row{start}), int8_array(@{ $row{results} }), chr($row{finished}),
		int2($row{compression}), int4($row{raw_size}), $row{payload}, pack('H*', substr($sum, 2)));
}

lie_ok("content: $_->[0]", qr/error: the source sent $_->[1]/, sends('first_range', $_->[2], instead => 1)) for (
	[ 'a wrong checksum', 'data that does not match its checksum', chunk_row(moved => 1) ],
	[ 'a range that was not asked for', 'a range out of order', chunk_row(first_range => 9999) ],
	[ 'range 0', 'a range out of order', chunk_row(first_range => 0) ],
	[ 'a negative start', 'a range out of order', chunk_row(start => -1) ],
	[ 'more ranges than asked for', 'ranges that were not asked for', chunk_row(results => [ (0) x 10000 ], raw_size => 0, payload => '') ],
	[ 'no range', 'ranges that were not asked for', chunk_row(results => [], raw_size => 0, payload => '') ],
	[ 'more bytes than asked', 'more bytes than were asked for', chunk_row(results => [ 2**62 ]) ],
	[ 'bytes whose sum overflows', 'more bytes than were asked for', chunk_row(results => [ (9223372036854775807) x 2 ], raw_size => 0, payload => '') ],
	[ 'fewer bytes than announced', 'a payload of another size than announced', chunk_row(results => [2], raw_size => 2) ],
	[ 'more bytes than belong to ranges', 'a payload that does not match its ranges', chunk_row(results => [1], raw_size => 2, payload => 'xx') ],
	[ 'a row that is too large', 'a row larger than agreed', chunk_row(raw_size => 2**31 - 1) ],
	[ 'a negative size', 'a row larger than agreed', chunk_row(raw_size => -1) ],
	[ 'an unfinished row without progress', 'a row without progress', chunk_row(results => [0], raw_size => 0, payload => '', finished => 0) ]);
lie_ok('content: what cannot be unpacked', qr/error: .*(lz4|decompress|damaged|unpack)/,
	sends('first_range', chunk_row(compression => 1, results => [1000], raw_size => 1000), instead => 1));
# Of two bytes; in one, 256 would be none, and more would be read than has come.
lie_ok("content: compression $_, which there is not", qr/error: the source sent data that is packed in an unknown way/,
	sends('first_range', chunk_row(compression => $_, results => [1000], raw_size => 1000), instead => 1))
  for (77, 256, -256);
{
	my $flipped = 0;
	lie_ok('content: one bit of a later row', qr/error: the source sent data that does not match its checksum/, sub {
		my ($m) = @_;
		return undef if $m->{type} ne 'D' || ($m->{columns}[0] // '') ne 'first_range' || ++$flipped != 5;
		substr($m->{values}[6], 17, 1) ^= "\x04";
		return data_row(@{ $m->{values} });
	});
}

# --- Checksums, when contents are compared ---
my @compare = (options => ['--mode=compare']);
lie_ok("checksums: $_->[0]", qr/error: the source sent $_->[1]/, changed_row('range_index', %{ $_->[2] }), @compare) for (
	[ 'of a range that was not asked for', 'checksums that were not asked for', { range_index => int4(99999) } ],
	[ 'of range 0', 'checksums that were not asked for', { range_index => int4(0) } ],
	[ 'of another place', 'checksums out of order', { first_offset => int8(8192 * 1000) } ],
	[ 'of part of a block', 'checksums of an odd size', { checksums => 'x' x 17 } ],
	[ 'of more blocks than asked for', 'more checksums than were asked for', { checksums => 'x' x 16_000_000 } ]);

diag(sprintf('%d lies told, none believed; %.0f MB of memory at the most', $seen{tried}, $seen{peak} / 1e6));
starts_as_before_ok('after all of it');
restore_target();
ok((run_tool(failback_arguments()))[0], 'the same source without the relay is believed');
starts_as_standby_ok('and the failback');

done_testing();
