# Each server keeps its own configuration; the other's comes beside it as NAME.source. On request the
# source's is taken, as pg_rewind does it.
use strict;
use warnings;
use FailbackTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind always takes the source\'s' if is_pg_rewind();

# Between one tool's run and the other's nothing is to happen.
my $old = start_primary('old', conf => "autovacuum = off\n");
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
my $port = $old->port;

# Differences in every kind of file, and one file each that only one of them has.
for my $node ($old, $new)
{
	my $name = $node->name;
	$node->append_conf('postgresql.conf', "# this is the $name server");
	$node->append_conf('pg_hba.conf', "# access to $name");
	$node->append_conf("only_$name.conf", "# a file of $name");
	$node->safe_psql('postgres', "ALTER SYSTEM SET archive_timeout = '" . ($name eq 'old' ? 77 : 99) . "'");
	mkdir $node->data_dir . '/conf.d';
	$node->append_conf('conf.d/more.conf', "# more of $name");
	upsert($node, 20);
}

sub own { return slurp_file($old->data_dir . '/' . $_[0]); }

sub of_source { return slurp_file($new->data_dir . '/' . $_[0]); }

failback_ok($old, $new);
like(own('postgresql.conf'), qr/this is the old server/, 'postgresql.conf is the target\'s');
like(own('pg_hba.conf'), qr/access to old/, 'pg_hba.conf is the target\'s');
like(own('postgresql.auto.conf'), qr/archive_timeout = '77/, 'ALTER SYSTEM settings are the target\'s');
like(own('conf.d/more.conf'), qr/more of old/, 'an included file is the target\'s');
ok(-e $old->data_dir . '/only_old.conf', 'a file that only the target has stays');
for my $name ('postgresql.conf', 'pg_hba.conf', 'postgresql.auto.conf', 'conf.d/more.conf')
{
	is(own("$name.source"), of_source($name), "$name.source is the source's");
}
ok(!-e $old->data_dir . '/only_new.conf', 'a file of the source does not come into force');
is($old->safe_psql('postgres', 'SHOW port'), $port, 'the server listens where it did');
ends_equal($old, $new);

# Once more, from the other side, with the source's files.
$old->start;
wait_streaming($old, $new);
promote($old);
upsert($_, 20) for ($old, $new);
$new->stop('fast');
keep_twin($new);
# One of the files grows after it was listed: it is taken as it is when it is read.
$old->safe_psql('postgres',
	"CREATE TABLE large AS SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 50) j) AS t FROM generate_series(1, 3000) i");
# What is still in its buffers would be read as zeros, too fast.
$old->safe_psql('postgres', 'CHECKPOINT');
my $output = '';
# As under nohup: that the terminal goes does not end it.
local $SIG{HUP} = 'IGNORE';
my $run = failback_slowly($new, $old, \$output, '--config-files=source');
# A slow machine must not let it come to its end.
$run->signal('STOP');
$run->signal('HUP');
$old->append_conf('postgresql.conf', "# this file has grown\n" x 1000);
$run->signal('CONT');
ok(IPC::Run::finish($run), 'failback with --config-files=source') or diag($output);
note($output);
rewind_twin($new, $old);
# pg_rewind takes what the first failback has laid beside the source's files for the source's own.
same_files_ok($new, qr/\.source$/);
is(of_source($_), own($_), "$_ was taken") for ('postgresql.conf', 'pg_hba.conf', 'postgresql.auto.conf', 'conf.d/more.conf');
$new->append_conf('postgresql.conf', 'port = ' . $new->port . "\nprimary_conninfo = '" . $old->connstr . "'");
$new->append_conf('standby.signal', '');
$new->start;
ok(wait_streaming($new, $old), 'streams');
ends_equal($new, $old);

done_testing();
