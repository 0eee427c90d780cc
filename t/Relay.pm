# A relay between the tool and a real source, on 127.0.0.1. It can read and rewrite what the source answers, message by
# message (PostgreSQL's protocol 3), and it can cut or stall connections.
#
#   my $relay = Relay->start($source, %options);
#   ... run the tool with --source-server => $relay->conninfo ...
#   $relay->stop;       # { connections => n, bytes => passed to the tool }
#
# Options:
#   rewrite => sub ($message) for each message of the source. $message has connection (from 1), type,
#       body, columns (names, of the result under way), values (of a DataRow; undef for NULL), send (sub: bytes to the
#       tool, false when it is gone), and wait_read (sub: returns when the tool has read all it was sent, or is gone).
#       Returns undef (passes unchanged) or the bytes to pass instead.
#   trouble_after => bytes: then, once, `trouble` happens:
#       'cut'      all connections end, new ones are served again
#       'reset'    the same, with resets instead of orderly ends
#       'gone'     all connections end, and there will be no new ones
#       'stall'    nothing moves any more, new connections are accepted and get no answer
#       a sub      is called, in the relay's own process
#   cut_at => sub ($message), as above, without values: where it says so for the first time, all connections are cut
#   route => sub ($number) for each connection, counted from 1: the server it leads to, instead of $source
package Relay;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER sockaddr_in);
use Time::HiRes qw(usleep);

our @EXPORT = qw(message data_row int2 int4 int8 int8_array);

# --- Parts of messages ---

sub message { my ($type, $body) = @_; return $type . pack('N', length($body) + 4) . $body; }

sub data_row
{
	my (@values) = @_;
	return message('D', pack('n', scalar(@values)) . join('', map { defined $_ ? pack('N/a*', $_) : pack('N', 0xffffffff) } @values));
}

sub int2 { return pack('s>', $_[0]); }
sub int4 { return pack('l>', $_[0]); }
sub int8 { return pack('q>', $_[0]); }

# int8[] of one dimension, in binary.
sub int8_array
{
	my (@values) = @_;
	my $head = pack('NNN', @values ? 1 : 0, 0, 20);
	return $head if !@values;
	return $head . pack('NN', scalar(@values), 1) . join('', map { pack('N', 8) . int8($_) } @values);
}

# --- The relay ---

sub start
{
	my ($class, $source, %options) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50, Proto => 'tcp') or die "could not listen: $!";
	pipe(my $reader, my $writer) or die "could not make a pipe: $!";
	my $pid = fork // die "could not fork: $!";
	if ($pid == 0)
	{
		# Never through the END blocks of the test: they would stop its servers.
		$SIG{PIPE} = 'IGNORE';
		my $self = bless {
			%options,
			listener => $listener,
			source => $source,
			connections => 0,
			bytes => 0,
			pairs => {}
		}, $class;
		$SIG{TERM} = sub { print {$writer} "$self->{connections} $self->{bytes}\n"; close $writer; POSIX::_exit(0); };
		eval { $self->run; 1 } or print STDERR "# relay: $@";
		POSIX::_exit(1);
	}
	close $writer;
	return bless { pid => $pid, port => $listener->sockport, reader => $reader }, $class;
}

# `more` is added: "sslmode=disable" is needed for the messages to be readable.
sub conninfo
{
	my ($self, $more) = @_;
	return "host=127.0.0.1 port=$self->{port} user=failback_user dbname=postgres sslmode=disable gssencmode=disable" . ($more // '');
}

sub stop
{
	my ($self) = @_;
	kill 'TERM', $self->{pid};
	my $line = readline($self->{reader}) // '0 0';
	waitpid $self->{pid}, 0;
	my ($connections, $bytes) = split ' ', $line;
	return { connections => $connections, bytes => $bytes };
}

sub run
{
	my ($self) = @_;
	for (;;)
	{
		# Nothing to wait for but the end.
		POSIX::pause() if !$self->{listener} && !%{ $self->{pairs} };
		my $select = IO::Select->new($self->{listener} // (), map { $_->{stalled} ? () : ($_->{tool}, $_->{source}) } values %{ $self->{pairs} });
		for my $ready ($select->can_read(10))
		{
			if ($self->{listener} && $ready == $self->{listener}) { $self->accept_one; next; }
			my ($pair) = grep { $_->{tool} == $ready || $_->{source} == $ready } values %{ $self->{pairs} } or next;
			$self->move($pair, $ready == $pair->{source});
		}
	}
	return;
}

sub accept_one
{
	my ($self) = @_;
	my $tool = $self->{listener}->accept or return;
	my $number = ++$self->{connections};
	my $server = $self->{route} ? $self->{route}->($number) : $self->{source};
	my $source = IO::Socket::UNIX->new(Peer => $server->host . '/.s.PGSQL.' . $server->port);
	# A source that is down: the tool is to see a connection that ends.
	return if !$source;
	$self->{pairs}{$number} = { number => $number, tool => $tool, source => $source, buffer => '', stalled => $self->{stalled} };
	return;
}

sub move
{
	my ($self, $pair, $from_source) = @_;
	my ($from, $to) = $from_source ? @$pair{qw(source tool)} : @$pair{qw(tool source)};
	my $got = sysread $from, my $bytes, 65536;
	return $self->close_pair($pair) if !$got;
	$bytes = $self->rewritten($pair, $bytes) if $from_source && ($self->{rewrite} || $self->{cut_at});
	return if !exists $self->{pairs}{ $pair->{number} };
	if ($from_source)
	{
		my $left = ($self->{trouble_after} // 9e15) - $self->{bytes};
		if (length($bytes) >= $left)
		{
			# Not at the end of a message only.
			send_all($to, substr($bytes, 0, $left > 0 ? $left : 0));
			delete $self->{trouble_after};
			$self->{bytes} += $left;
			$self->trouble;
			# Whoever is still there gets the rest.
			return if $pair->{stalled} || !exists $self->{pairs}{ $pair->{number} };
			$bytes = substr($bytes, $left);
		}
		$self->{bytes} += length $bytes;
	}
	send_all($to, $bytes) or $self->close_pair($pair);
	return;
}

sub send_all
{
	my ($to, $bytes) = @_;
	for (my $done = 0; $done < length $bytes;)
	{
		my $put = syswrite($to, $bytes, length($bytes) - $done, $done) or return 0;
		$done += $put;
	}
	return 1;
}

# Bytes that lie in the kernel for the other end of this connection, which is on this machine. 0 if it is gone.
sub unread
{
	my ($socket) = @_;
	my ($own, $other) = map { $_ ? sprintf('%04X', (sockaddr_in($_))[0]) : return 0 } getsockname($socket), getpeername($socket);
	open my $table, '<', '/proc/net/tcp' or die "could not open /proc/net/tcp: $!";
	for (<$table>) { return hex($1) if /^ *\d+: \w+:$other \w+:$own 01 \w+:(\w+)/; }
	return 0;
}

sub close_pair
{
	my ($self, $pair) = @_;
	close $_ for @$pair{qw(tool source)};
	delete $self->{pairs}{ $pair->{number} };
	return;
}

sub trouble
{
	my ($self) = @_;
	my $what = $self->{trouble};
	return $what->() if ref $what;
	if ($what eq 'stall')
	{
		$_->{stalled} = 1 for values %{ $self->{pairs} };
		$self->{stalled} = 1;
		return;
	}
	if ($what eq 'reset') { setsockopt($_->{tool}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) for values %{ $self->{pairs} }; }
	$self->close_pair($_) for values %{ $self->{pairs} };
	close delete $self->{listener} if $what eq 'gone';
	return;
}

# Complete messages of the source, each as `rewrite` wants it.
sub rewritten
{
	my ($self, $pair, $bytes) = @_;
	$pair->{buffer} .= $bytes;
	my ($out, $at) = ('', 0);
	while (length($pair->{buffer}) - $at >= 5)
	{
		my ($type, $length) = unpack('aN', substr($pair->{buffer}, $at, 5));
		last if length($pair->{buffer}) - $at < $length + 1;
		my $whole = substr($pair->{buffer}, $at, $length + 1);
		$at += $length + 1;
		my %message = (connection => $pair->{number}, type => $type, body => substr($whole, 5));
		$pair->{columns} = column_names($message{body}) if $type eq 'T';
		$message{columns} = $pair->{columns} // [];
		if ($self->{cut_at} && $self->{cut_at}->(\%message))
		{
			delete $self->{cut_at};
			send_all($pair->{tool}, $out);
			$self->close_pair($_) for values %{ $self->{pairs} };
			return '';
		}
		if (!$self->{rewrite}) { $out .= $whole; next; }
		$message{values} = field_values($message{body}) if $type eq 'D';
		# What was held back goes first.
		$message{send} = sub {
			my ($more) = @_;
			my $sent = send_all($pair->{tool}, $out . $more);
			$out = '';
			return $sent;
		};
		$message{wait_read} = sub { usleep(1000) while unread($pair->{tool}); };
		$out .= $self->{rewrite}->(\%message) // $whole;
	}
	substr($pair->{buffer}, 0, $at) = '';
	return $out;
}

sub column_names
{
	my ($body) = @_;
	my ($count, $at, @names) = (unpack('n', $body), 2);
	for (1 .. $count)
	{
		my ($name) = unpack("\@$at Z*", $body);
		push @names, $name;
		$at += length($name) + 1 + 18;
	}
	return \@names;
}

sub field_values
{
	my ($body) = @_;
	my ($count, $at, @values) = (unpack('n', $body), 2);
	for (1 .. $count)
	{
		my ($length) = unpack("\@$at l>", $body);
		$at += 4;
		push @values, $length < 0 ? undef : substr($body, $at, $length);
		$at += $length if $length > 0;
	}
	return \@values;
}

1;
