# A configuration file that is a symbolic link is the target's configuration all the same; and links where the server has
# none are found before anything is changed.
# No twin by pg_rewind: pg_rewind takes a link and a file of one name for two kinds of file, and stops.
use strict;
use warnings;
use FailbackTest;
use Test::More;

plan skip_all => 'pg_rewind follows links' if is_pg_rewind();

my $old = start_primary('old');
create_upsert_table($old);
my $new = add_standby('new', $old);
promote($new);
upsert($_, 10) for ($old, $new);
$old->stop('fast');

my $dir = $old->data_dir;
my $elsewhere = $old->basedir . '/kept.conf';
rename "$dir/pg_hba.conf", $elsewhere or die "could not move pg_hba.conf: $!";
symlink $elsewhere, "$dir/pg_hba.conf" or die "could not make a link: $!";

refused_ok('the source\'s configuration over a link', $dir, qr/not a regular file/,
	'-D', $dir, '--source-server=' . source_conninfo($new), '--config-files=source');

my ($database) = grep { -d $_ && !/\/1$/ } glob "$dir/base/*";
rename $database, "$database.moved" or die "could not move a database: $!";
rename "$database.moved", $old->basedir . '/database' or die "could not move a database: $!";
symlink $old->basedir . '/database', $database or die "could not make a link: $!";
refused_ok('a link in the place of a database', $dir, qr/link|not a directory/i,
	'-D', $dir, '--source-server=' . source_conninfo($new));
unlink $database;
rename $old->basedir . '/database', $database or die "could not move the database back: $!";

failback_ok($old, $new);
is(readlink("$dir/pg_hba.conf"), $elsewhere, 'the link to the configuration stays');
ends_equal($old, $new);
done_testing();
