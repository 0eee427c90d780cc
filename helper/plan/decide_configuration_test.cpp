#include "helper/plan/decide_fixture.h"

namespace failback {
namespace {

TEST_F(DecideTest, ConfigurationIsAskedAbout)
{
    run({file("postgresql.conf", 3, "abc")}, {file("postgresql.conf", 3, "abc")});
    EXPECT_EQ(config_asked, "postgresql.conf target source identical");
    run({file("postgresql.conf", 3, "abc")}, {file("postgresql.conf", 3, "xyz")});
    EXPECT_EQ(config_asked, "postgresql.conf target source");
    run({}, {file("pg_hba.conf", 3)});
    EXPECT_EQ(config_asked, "pg_hba.conf target");
    run({file("pg_hba.conf", 3)}, {});
    EXPECT_EQ(config_asked, "pg_hba.conf source");
    EXPECT_TRUE(actions.empty());
}

TEST_F(DecideTest, ConfigurationChoices)
{
    FileEntry ours = file("postgresql.conf", 3, "abc"), theirs = file("postgresql.conf", 4, "abcd");
    choice = ConfigChoice::take_source;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "replace");
    EXPECT_EQ(actions["postgresql.conf"].size, 4);
    choice = ConfigChoice::remove;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "remove");
    choice = ConfigChoice::write_beside;
    run({theirs}, {ours});
    EXPECT_EQ(what("postgresql.conf"), "");
    EXPECT_EQ(what("postgresql.conf.source"), "replace");
    EXPECT_EQ(actions["postgresql.conf.source"].read_from(), "postgresql.conf");
}

TEST_F(DecideTest, AnEarlierSourceCopyIsReplacedNotRemovedToo)
{
    choice = ConfigChoice::write_beside;
    std::vector<FileEntry> target = {file("pg_hba.conf.source", 9), file("postgresql.conf", 3), file("postgresql.conf.source", 9)};
    run({file("postgresql.conf", 4)}, target);
    EXPECT_EQ(plan.actions.size(), 2u);
    EXPECT_EQ(what("postgresql.conf.source"), "replace");
    EXPECT_EQ(what("pg_hba.conf.source"), "remove"); // not written anew
}

TEST_F(DecideTest, ASourceCopyWhoseNameWouldBeTooLongIsNotMade)
{
    choice = ConfigChoice::write_beside;
    std::string longest(250, 'a'); // with ".source" more than a name may have
    run({file(longest + ".conf", 10, "a"), file("short.conf", 10, "a")}, {file("short.conf", 10, "b")});
    EXPECT_EQ(actions.size(), 1u);
    EXPECT_EQ(what("short.conf.source"), "replace");
    ASSERT_EQ(plan.notes.size(), 1u);
    EXPECT_NE(plan.notes[0].find(longest), std::string::npos) << plan.notes[0];
}

TEST_F(DecideTest, PrivateKeysAreLeftAlone)
{
    choice = ConfigChoice::take_source;
    run({file("server.key", 3)}, {file("server.key", 4)});
    EXPECT_EQ(what("server.key"), "") << "a key is never overwritten";
}

TEST_F(DecideTest, SoIsTheKeyThatOnlyASettingTells)
{
    own_keys = {"tls/secret", "tls/other"};
    foreign = ForeignFiles::as_source;
    choice = ConfigChoice::remove;
    run({file("tls/secret", 3), directory("tls")}, {file("tls/secret", 4), directory("tls")});
    EXPECT_EQ(what("tls/secret"), "") << "not overwritten";
    run({directory("tls")}, {file("tls/secret", 4), directory("tls")});
    EXPECT_EQ(what("tls/secret"), "") << "not removed";
    own_keys = {"tls/both.pem"};
    run({}, {file("tls/both.pem", 4), directory("tls")});
    EXPECT_EQ(what("tls/both.pem"), "") << "not as a configuration file either";
}

} // namespace
} // namespace failback
