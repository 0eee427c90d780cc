# pg_wal elsewhere, on both sides or on one of them, and group-readable data directories.
use strict;
use warnings;
use FailbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir;
for my $linked ('both', 'target', 'source')
{
	my ($old_is, $new_is) = map { $linked eq 'both' || $linked eq $_ } ('target', 'source');
	my $old = start_primary("old_$linked", initdb => [ '--allow-group-access', $old_is ? ('-X', "$place/old_$linked") : () ]);
	create_upsert_table($old);
	my $new = add_standby("new_$linked", $old, options => [ $new_is ? ('--waldir', "$place/new_$linked") : () ]);
	upsert($old, 50);
	wait_streaming($new, $old);
	promote($new);
	upsert($_, 50) for ($old, $new);

	failback_ok($old, $new, twin => 1);
	my %link = map { $_ => readlink($_->data_dir . '/pg_wal') // 'a directory' } ($old, $new);
	is($link{$old}, $old_is ? "$place/old_$linked" : 'a directory', "$linked: pg_wal of the target is what it was");
	is($link{$new}, $new_is ? "$place/new_$linked" : 'a directory', "$linked: that of the source too");
	SKIP:
	{
		skip 'pg_rewind 15 makes some files for the owner alone', 1 if is_pg_rewind();
		ok(check_mode_recursive($old->data_dir, 0750, 0640), "$linked: modes are those of a group-readable directory");
	}
	ends_equal($old, $new);
	$new->stop('fast');
}

done_testing();
