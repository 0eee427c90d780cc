# A copy of the old primary, three days old, and 10 GB of WAL (WAL_GB) that the new primary has long recycled: it comes back by
# comparing contents, which moves what differs and no more.
# No twin by pg_rewind: it needs that WAL.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_rewind needs the WAL' if is_pg_rewind();

my $gigabytes = $ENV{WAL_GB} || 10;
# What is zeroed beforehand would be written twice.
my $old = start_primary('old', conf => <<'CONF');
wal_keep_size = 0
min_wal_size = 80MB
max_wal_size = 1GB
wal_init_zero = off
wal_recycle = on
CONF
create_upsert_table($old);
upsert($old, 100);
my $new = add_standby('new', $old);
upsert($old, 20);
wait_streaming($new, $old);
promote($new);
upsert($old, 100);
my $left = $old->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
$old->stop('fast');

my $copy = PostgreSQL::Test::Cluster->new('copy');
command_ok([ 'cp', '-a', $old->data_dir, $copy->data_dir ], 'a copy of the stopped target');
mkdir $copy->archive_dir;
$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'");
command_ok([ 'find', $copy->data_dir, '-exec', 'touch', '--no-dereference', '--date=3 days ago', '{}', '+' ], 'of three days ago');

# Work in between, and what fills WAL without filling tables.
for my $round (1 .. $gigabytes)
{
	upsert($new, 20) if $round % 3 == 1;
	$new->safe_psql('postgres', "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 256 * 1024 * 1024)) FROM generate_series(1, 4)");
	$new->safe_psql('postgres', 'CHECKPOINT');
}
my $behind = $new->safe_psql('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '$left')");
cmp_ok($behind, '>=', $gigabytes * 2**30, sprintf('the target is %.1f GB of WAL behind', $behind / 2**30));
my $oldest = $new->safe_psql('postgres', "SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}\$'");
cmp_ok($oldest, 'gt', $new->safe_psql('postgres', "SELECT pg_walfile_name('$left')"), 'and the source has recycled it');

my $output = failback_ok($copy, $new, compares => 1, options => ['--report=-'],
	like => qr/comparing contents, because .*no longer/);
my ($fetched) = $output =~ /"fetched": (\d+)/;
cmp_ok($fetched // $behind, '<', 256 * 2**20, sprintf('%d MB were moved', ($fetched // 0) / 2**20));
ends_equal($copy, $new);

done_testing();
