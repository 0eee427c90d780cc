# Runs one command and measures it: wall seconds, its peak memory, the peak private memory of the source's
# backends that serve it. And a proxy that counts the bytes of its connections.
package Measure;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use List::Util qw(sum0);
use Time::HiRes qw(time);

our @EXPORT = qw(measure counted median);

# One value of /proc/PID/status in kB; undef if the process has ended.
sub _status_kb
{
	my ($pid, $name) = @_;
	open my $file, '<', "/proc/$pid/status" or return undef;
	while (my $line = <$file>) { return $1 if $line =~ /^$name:\s+(\d+)/; }
	return undef;
}

# Bytes that a process has read from files (sockets are not counted); 0 if it has ended.
sub _bytes_read
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/io" or return 0;
	while (my $line = <$file> // '') { return $1 if $line =~ /^rchar: (\d+)/; }
	return 0;
}

# Processes of the server with this postmaster that serve `user`.
sub _backends
{
	my ($postmaster, $user) = @_;
	open my $file, '<', "/proc/$postmaster/task/$postmaster/children" or return ();
	my @found;
	for my $pid (split ' ', <$file> // '')
	{
		open my $title, '<', "/proc/$pid/cmdline" or next;
		my $text = <$title> // '';
		push @found, $pid if $text =~ /^postgres: \Q$user\E /;
	}
	return @found;
}

# measure(command, log => file, postmaster => pid, user => role): { seconds, status, helper_mb, backend_mb, helper_read,
# backend_read }; the latter are bytes read from files, of all backends together.
# Memory is looked at every 5 ms: VmHWM of the command, which only grows; RssAnon, private memory, of the
# backends, because shared buffers that they touch are not theirs.
sub measure
{
	my ($command, %option) = @_;
	my ($helper, $backend, $rounds, $read, %serving, %backend_read) = (0, 0, 0, 0);
	my $start = time();
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null' or die;
		open STDOUT, '>', $option{log} or die;
		open STDERR, '>&', \*STDOUT or die;
		exec(@$command) or die "could not run $command->[0]: $!";
	}
	while (waitpid($pid, 1) == 0)
	{
		my $now = _status_kb($pid, 'VmHWM') // 0;
		$helper = $now if $now > $helper;
		$read = _bytes_read($pid) || $read;
		if ($option{postmaster})
		{
			%serving = map { $_ => 1 } _backends($option{postmaster}, $option{user}) if $rounds++ % 10 == 0;
			for my $server (keys %serving)
			{
				my $private = _status_kb($server, 'RssAnon') // 0;
				$backend = $private if $private > $backend;
				$backend_read{$server} = _bytes_read($server) || $backend_read{$server};
			}
		}
		select(undef, undef, undef, 0.005);
	}
	return {
		status => $? >> 8,
		seconds => time() - $start,
		helper_mb => $helper / 1024,
		backend_mb => $backend / 1024,
		helper_read => $read,
		backend_read => sum0(map { $_ // 0 } values %backend_read)
	};
}

# counted(port, sub { my ($port) = @_; ... }): bytes, both ways, of all connections that the work makes to
# `port` of 127.0.0.1 when it uses the port it is given instead.
sub counted
{
	my ($port, $work) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "no port: $!";
	pipe(my $read, my $write) or die;
	my $proxy = fork() // die "could not fork: $!";
	if ($proxy == 0)
	{
		close $read;
		_serve($listener, $port, $write);
		require POSIX;
		POSIX::_exit(0);
	}
	close $write;
	my $proxy_port = $listener->sockport;
	close $listener;
	$work->($proxy_port);
	kill 'TERM', $proxy;
	my $bytes = 0;
	while (my $count = <$read>) { $bytes += $count; }
	waitpid($proxy, 0);
	return $bytes;
}

# Forwards every connection in one process until it is told to end, then reports the sum.
sub _serve
{
	my ($listener, $port, $report) = @_;
	my ($bytes, $ended, %other) = (0, 0);
	local $SIG{TERM} = sub { $ended = 1; };
	local $SIG{PIPE} = 'IGNORE';
	my $select = IO::Select->new($listener);
	until ($ended)
	{
		for my $socket ($select->can_read(0.2))
		{
			if ($socket == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
				  or do { close $client; next; };
				@other{ $client, $server } = ($server, $client);
				$select->add($client, $server);
				next;
			}
			my $partner = $other{$socket} or next;
			my $count = sysread($socket, my $data, 1 << 18);
			if (!$count)
			{
				delete @other{ $socket, $partner };
				$select->remove($socket, $partner);
				close $_ for ($socket, $partner);
				next;
			}
			$bytes += $count;
			for (my $done = 0; $done < $count;)
			{
				my $written = syswrite($partner, $data, $count - $done, $done);
				last unless defined $written;
				$done += $written;
			}
		}
	}
	syswrite($report, "$bytes\n");
	return;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[ @sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

1;
