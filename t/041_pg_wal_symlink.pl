# pg_wal elsewhere, on both sides, and group-readable data directories.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir;
my $old = start_primary('old', initdb => [ '--allow-group-access', '-X', "$place/old_wal" ]);
create_upsert_table($old);
my $new = add_standby('new', $old, options => [ '--waldir', "$place/new_wal" ]);
upsert($old, 50);
wait_streaming($new, $old);
promote($new);
upsert($_, 50) for ($old, $new);

failback_ok($old, $new, twin => 1);
is(readlink($old->data_dir . '/pg_wal'), "$place/old_wal", 'pg_wal still leads where it led');
is(readlink($new->data_dir . '/pg_wal'), "$place/new_wal", 'on the source too');
SKIP:
{
	skip 'pg_rewind 15 makes some files for the owner alone', 1 if is_pg_rewind();
	ok(check_mode_recursive($old->data_dir, 0750, 0640), 'modes are those of a group-readable directory');
}
ends_equal($old, $new);

done_testing();
