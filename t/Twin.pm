# What PostgreSQL's own pg_rewind makes of the same target. keep_twin copies the stopped target aside, rewind_twin lets
# pg_rewind loose on the copy after pg_failback has done its work on the original (which so finds nothing prepared for the
# other), and twin_equal_ok brings both to the same point of the source's WAL and compares rows and main forks.
package Twin;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(keep_twin adopt_twin same_files_ok);
our @EXPORT_OK = qw(rewind_twin twin_of start_twin twin_equal_ok);

my %twin;    # name of the target => its twin: { node, conf, rewound }
my $number = 0;

sub twin_of { my ($target) = @_; return $twin{ $target->name }; }

# keep_twin(TARGET, conf => settings, if they are not in the data directory): copies a stopped or killed target aside, as it
# is now, with its tablespaces. The next failback_ok with twin => ... uses it.
sub keep_twin
{
	my ($target, %option) = @_;
	return if FailbackTest::is_pg_rewind();
	my $node = PostgreSQL::Test::Cluster->new('twin' . ++$number . '_of_' . $target->name);
	my $root = $node->data_dir;
	system('cp', '-a', '--reflink=auto', $target->data_dir, $root) == 0 or die "could not copy the target to $root";
	# It would be pg_rewind's own recovery that the number of a dead process keeps off.
	unlink "$root/postmaster.pid";
	if (my $wal = readlink "$root/pg_wal")
	{
		unlink "$root/pg_wal";
		system('cp', '-a', '--reflink=auto', $wal, "$root/pg_wal") == 0 or die "could not copy $wal";
	}
	for my $link (grep { -l } glob "$root/pg_tblspc/*")
	{
		my ($oid, $original) = ($link =~ s{.*/}{}r, readlink $link);
		my $copy = $node->basedir . "/tablespace_$oid";
		system('cp', '-a', '--reflink=auto', $original, $copy) == 0 or die "could not copy $original";
		unlink $link;
		symlink $copy, $link or die "could not link $link: $!";
	}
	$twin{ $target->name } = { node => $node, conf => $option{conf} // slurp_file("$root/postgresql.conf") };
	return;
}

# adopt_twin(TARGET, NODE): the node is what pg_rewind has made of a copy; it runs and follows the source.
sub adopt_twin
{
	my ($target, $node) = @_;
	$twin{ $target->name } = { node => $node, rewound => 1 };
	return;
}

# rewind_twin(TARGET, SOURCE, what SOURCE follows or undef, options of pg_rewind...): what pg_rewind said
sub rewind_twin
{
	my ($target, $source, $primary, @options) = @_;
	my $twin = twin_of($target);
	my $node = $twin->{node};

	# pg_rewind 15 goes by the source's control file.
	if ($primary)
	{
		$primary->safe_psql('postgres', 'CHECKPOINT');
		FailbackTest::wait_streaming($source, $primary) or die $source->name . ' does not follow ' . $primary->name;
	}
	$source->safe_psql('postgres', 'CHECKPOINT');
	my $output = '';
	$twin->{rewound} = IPC::Run::run(
		[ 'pg_rewind', '-N', '-D', $node->data_dir, '--source-server=' . $source->connstr('postgres'), @options ],
		'<', \undef, '>', \$output, '2>&1');
	note($output);
	ok($twin->{rewound}, 'pg_rewind of a copy of ' . $target->name) or diag($output);
	return $output if !$twin->{rewound};
	$twin->{files} = FailbackTest::fingerprint($node->data_dir);

	# It has brought the source's configuration.
	unlink map { $node->data_dir . "/$_" } ('postgresql.conf', 'postgresql.auto.conf');
	$node->append_conf('postgresql.auto.conf', '');
	$node->append_conf('postgresql.conf',
		    $twin->{conf} . 'port = ' . $node->port
		  . "\nunix_socket_directories = '" . $node->host . "'\n"
		  . "primary_conninfo = '" . $source->connstr . "'");
	$node->append_conf('standby.signal', '');
	return $output;
}

# same_files_ok(TARGET, REGEX): before either is started, where pg_failback was told to do as pg_rewind does: both have
# the same files, directories and links, with the same modes; but for what stands here, those that are no pages have the same
# content. Names that match REGEX may be on one side only.
sub same_files_ok
{
	my ($target, $known) = @_;
	my %seen = (ours => FailbackTest::fingerprint($target->data_dir), theirs => twin_of($target)->{files});
	for my $files (values %seen)
	{
		for my $name (keys %$files)
		{
			# WAL is what each needs. pg_rewind takes a source's backup_label.old, and removes postmaster.opts, which tells where the
			# configuration is.
			if ($name =~ m{^pg_wal/|^backup_label\.old$|^postmaster\.opts$|^pg_failback\.record(/|$)} || ($known && $name =~ $known)) { delete $files->{$name}; next; }
			$files->{$name} =~ s/^link .*/link/;
			# Neither the time of the last change nor, where recovery goes over it or gets its bounds, the content: that is compared
			# after recovery.
			$files->{$name} =~ s/^(file \d+) (\d+) \d+ (\S+)$/$1 $2 $3/;
			$files->{$name} =~ s/^(file \d+) .*/$1/ if $name =~ m{^(base/\d+|global|pg_tblspc/\d+/(\./)?\w+/\d+)/\d|^pg_(xact|multixact)/|^global/pg_control$|^backup_label$};
		}
	}
	my @different = map { "$_: " . ($seen{ours}{$_} // 'absent') . ', pg_rewind: ' . ($seen{theirs}{$_} // 'absent') }
	  FailbackTest::changed_files($seen{ours}, $seen{theirs});
	cmp_ok(scalar(keys %{ $seen{theirs} }), '>', 500, 'the files of pg_rewind were compared');
	is(join("\n", @different), '', 'the files of ' . $target->name . ' are those that pg_rewind leaves');
	return;
}

sub start_twin
{
	my ($target) = @_;
	my $node = twin_of($target)->{node};
	return if $node->{_pid};
	$node->start(fail_ok => 1) or die $node->name . ' does not start as a standby';
	return;
}

# Ends background work on the server that writes, so that its WAL says nothing more about relations.
sub quieten
{
	my ($writer) = @_;
	return if $writer->safe_psql('postgres', 'SHOW autovacuum') eq 'off';
	$writer->safe_psql('postgres', $_) for ('ALTER SYSTEM SET autovacuum = off', 'SELECT pg_reload_conf()');
	# The launcher ends where it has nothing to launch.
	$writer->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type LIKE 'autovacuum%')")
	  or die 'autovacuum does not end';
	$writer->safe_psql('postgres', 'ALTER SYSTEM RESET autovacuum');
	return;
}

# A page without what two servers that have replayed the same WAL need not have in common, much as PostgreSQL's own
# wal_consistency_checking sees it: checksum, flags that are hints, free space, command ids (also whether there are two), hint
# bits of rows and what fills up the place behind them, dead entries of indexes and the flag that there are some.
sub masked
{
	my ($page) = @_;
	return $page if length($page) != 8192;
	my ($lower, $upper, $special) = unpack('x12 S3', $page);
	return $page if $lower < 24 || $lower > $upper || $upper > $special || $special > 8192;
	substr($page, 8, 4) = "\0" x 4;
	substr($page, 20, 4) = "\0" x 4;
	substr($page, $lower, $upper - $lower) = "\0" x ($upper - $lower);
	for (my $at = 24; $at + 4 <= $lower; $at += 4)
	{
		my $item = unpack('L', substr($page, $at, 4));
		my ($offset, $flags, $length) = ($item & 0x7fff, $item >> 15 & 3, $item >> 17);
		if ($special < 8192)
		{
			# An index marks its dead entries, LP_DEAD for LP_NORMAL.
			substr($page, $at, 4) = pack('L', $item & ~(3 << 15) | 1 << 15) if $flags == 3 && $length;
		}
		elsif ($flags == 1 && $length >= 23 && $offset + $length <= 8192)
		{
			substr($page, $offset + 8, 4) = "\0" x 4;
			substr($page, $offset + 20, 2) = pack('S', unpack('S', substr($page, $offset + 20, 2)) & ~0x0f20);
			my $padding = -$length % 8;
			substr($page, $offset + $length, $padding) = "\0" x $padding if $offset + $length + $padding <= 8192;
		}
	}
	if ($special == 8192 - 16)
	{
		# B-tree (which has the number of a vacuum where the others have their mark), hash and GiST.
		my ($index_flags, $mark) = unpack('S2', substr($page, 8188, 4));
		if ($mark <= 0xff7f) { ($index_flags, $mark) = ($index_flags & ~0x40, 0); }
		elsif ($mark == 0xff80) { $index_flags &= ~0x80; }
		elsif ($mark == 0xff81) { $index_flags &= ~0x10; }
		substr($page, 8188, 4) = pack('S2', $index_flags, $mark);
	}
	return $page;
}

# The blocks in which two files of pages differ.
sub different_blocks
{
	my ($one, $other) = @_;
	my @file;
	for my $path ($one, $other)
	{
		# A file of a relation that is gone may wait, empty, for the next checkpoint.
		open my $file, '<:raw', -e $path ? $path : '/dev/null' or die "could not open $path: $!";
		push @file, $file;
	}
	my @blocks;
	my $size = 1024 * 1024;
	for (my $first = 0; ; $first += $size / 8192)
	{
		my @piece = map { read($_, my $bytes, $size); $bytes // '' } @file;
		last if $piece[0] eq '' && $piece[1] eq '';
		next if $piece[0] eq $piece[1];
		for (my $at = 0; $at < length($piece[0]) || $at < length($piece[1]); $at += 8192)
		{
			my @page = map { $at < length($_) ? substr($_, $at, 8192) : 'absent' } @piece;
			push @blocks, $first + $at / 8192 if $page[0] ne $page[1] && masked($page[0]) ne masked($page[1]);
		}
	}
	return @blocks;
}

# With those of tablespaces that are links.
sub relation_files
{
	my ($root) = @_;
	my @names = FailbackTest::files_below($root);
	for my $link (grep { -l } glob "$root/pg_tblspc/*")
	{
		my $oid = $link =~ s{.*/}{}r;
		push @names, map { "pg_tblspc/$oid/$_" } FailbackTest::files_below("$link/.");
	}
	return @names;
}

# Both follow the source and are running. Files whose name matches `known` may differ. Leaves both stopped, and the twin removed if it is equal.
sub twin_equal_ok
{
	my ($target, $source, $writer, $known) = @_;
	my $twin = (delete $twin{ $target->name })->{node};

	quieten($writer);
	for ([ $source, $writer ], [ $target, $source ], [ $twin, $source ])
	{
		next if $_->[0] == $_->[1];
		FailbackTest::wait_streaming(@$_) or die $_->[0]->name . ' does not follow ' . $_->[1]->name;
	}
	$_->stop('fast') for ($target, $twin);
	my @roots = map { $_->data_dir } ($target, $twin);
	my %main_fork = map { $_ => 1 } grep { m{^(base/\d+|global|pg_tblspc/\d+/\w+/\d+)/\d+(\.\d+)?$} } map { relation_files($_) } @roots;
	my @different;
	for my $path (sort keys %main_fork)
	{
		my @blocks = different_blocks(map { "$_/$path" } @roots);
		next if !@blocks;
		my $which = "$path: @blocks[0 .. ($#blocks < 4 ? $#blocks : 4)]";
		if ($known && $path =~ $known) { note("differs, as is known: $which"); }
		else { push @different, $which; }
	}
	cmp_ok(scalar(keys %main_fork), '>', 200, 'the relation files of pg_rewind were compared');
	ok(scalar(grep { /^pg_tblspc/ } keys %main_fork), 'those of tablespaces too') if (() = glob "$roots[0]/pg_tblspc/*/*/*/*");
	is("@different", '', 'after recovery they are equal to those of ' . $target->name) or return;
	$twin->clean_node;
	return;
}

1;
