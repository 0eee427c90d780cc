#include "helper/cluster/target_settings.h"

#include "common/error.h"
#include "helper/cluster/child_process.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace failback {
namespace {

namespace fs = std::filesystem;

class TargetSettings : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = (fs::temp_directory_path() / "failback_test.XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        root = pattern;
        data = root + "/data";
        fs::create_directories(data);
        fs::create_directories(root + "/etc");
    }
    void TearDown() override { fs::remove_all(root); }
    void write(const std::string &name, const std::string &content) { std::ofstream(root + "/" + name) << content; }
    // A stand-in for the postgres program.
    std::string program(const std::string &body)
    {
        write("postgres", "#!/bin/sh\n" + body);
        fs::permissions(root + "/postgres", fs::perms::owner_all);
        return root + "/postgres";
    }
    std::string root, data;
};

TEST(PostmasterOpts, ConfigFile)
{
    auto found = [](const char *text) { return config_file_from_postmaster_opts(text, "/var/lib/postgresql/15/main"); };
    // as Debian's pg_ctlcluster starts it
    EXPECT_EQ(found("/usr/lib/postgresql/15/bin/postgres \"-D\" \"/var/lib/postgresql/15/main\" \"-c\" "
                    "\"config_file=/etc/postgresql/15/main/postgresql.conf\"\n"),
              "/etc/postgresql/15/main/postgresql.conf");
    EXPECT_EQ(found("/bin/postgres \"--config-file=/etc/a b/p.conf\" \"-D\" \"/var/lib/postgresql/15/main\"\n"), "/etc/a b/p.conf");
    EXPECT_EQ(found("/bin/postgres \"--config_file=/etc/p.conf\"\n"), "/etc/p.conf");
    EXPECT_EQ(found("/bin/postgres \"-cconfig_file=/etc/p.conf\"\n"), "/etc/p.conf");
    EXPECT_EQ(found("/bin/postgres \"-c\" \"config_file=/a\" \"-c\" \"config_file=/b\"\n"), "/b"); // the last one counts
    EXPECT_EQ(found("/bin/postgres \"-c\" \"cluster_name=say \"hi\"\" \"-c\" \"config_file=/b\"\n"), "/b");
    // -D names the directory of the configuration
    EXPECT_EQ(found("/bin/postgres \"-D\" \"/etc/postgresql/15/main\"\n"), "/etc/postgresql/15/main/postgresql.conf");
    EXPECT_EQ(found("/bin/postgres \"-D\" \"/var/lib/postgresql/15/main\"\n"), "");
    EXPECT_EQ(found("/bin/postgres \"-D\" \"data\"\n"), "");
    for (const char *nothing : {"", "\n", "/bin/postgres", "/bin/postgres\n", "/bin/postgres \"", "/bin/postgres \"-c\"\n",
                                "/bin/postgres \"-D\"\n"})
        EXPECT_EQ(found(nothing), "") << nothing;
}

TEST_F(TargetSettings, WhereTheConfigurationIs)
{
    EXPECT_EQ(find_target_config(data, "").config_file, ""); // nothing is there
    write("etc/postgresql.conf", "");
    write("data/postmaster.opts", "/bin/postgres \"-D\" \"" + data + "\" \"-c\" \"config_file=" + root + "/etc/postgresql.conf\"\n");
    ConfigLocation location = find_target_config(data, "");
    EXPECT_EQ(location.config_file, root + "/etc/postgresql.conf");
    EXPECT_TRUE(location.outside());
    // One in the data directory, such as a package's or the source's, is not what the server was started with
    write("data/postgresql.conf", "");
    EXPECT_EQ(find_target_config(data, "").config_file, root + "/etc/postgresql.conf");
    // unless that file has gone, or belongs to the data directory that this one was copied from
    write("etc/PG_VERSION", "15");
    EXPECT_EQ(find_target_config(data, "").config_file, "");
    fs::remove(root + "/etc/PG_VERSION");
    write("data/PG_VERSION", "15");
    EXPECT_TRUE(find_target_config(data, "").outside());
    fs::rename(root + "/etc/postgresql.conf", root + "/etc/moved");
    EXPECT_EQ(find_target_config(data, "").config_file, "");
    EXPECT_FALSE(find_target_config(data, "").outside());
    // -D that is only another name of the data directory
    fs::create_symlink(data, root + "/link");
    write("data/postmaster.opts", "/bin/postgres \"-D\" \"" + root + "/link\"\n");
    EXPECT_FALSE(find_target_config(data, "").outside());
    // and what was given before everything
    EXPECT_EQ(find_target_config(data, "/given").config_file, "/given");
    EXPECT_TRUE(find_target_config(data, "/given").outside());
    EXPECT_FALSE(find_target_config(data, data + "/postgresql.conf").outside());
}

TEST_F(TargetSettings, AsksTheProgram)
{
    std::string postgres = program("echo noise >&2; test \"$5\" != -c || test \"$6\" = config_file=/c || exit 9; echo \"$1 $2 $4\"\n");
    auto values = read_target_settings(postgres, {data, "/c"}, {"log_directory", "restore_command"});
    EXPECT_EQ(values.size(), 2u);
    EXPECT_EQ(values["log_directory"], "-C log_directory " + data);
    EXPECT_EQ(values["restore_command"], "-C restore_command " + data);
}

TEST_F(TargetSettings, SaysWhatTheProgramSaid)
{
    std::string postgres = program("echo 'cannot: no file' >&2; exit 2\n");
    try {
        read_target_settings(postgres, {data, ""}, {"log_directory"});
        FAIL();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_state);
        EXPECT_EQ(error.detail(), "It printed: cannot: no file");
        EXPECT_NE(error.hint().find("--config-file"), std::string::npos);
    }
    EXPECT_THROW(read_target_settings(root + "/missing", {data, ""}, {"log_directory"}), Error);
}

TEST_F(TargetSettings, ProgramThatPrintsMuch)
{
    // More than a pipe holds, on both streams, in the order that would block a reader of one after the other.
    ChildOutput output = ChildProcess({program("head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero; exit 3\n")}).finish();
    EXPECT_EQ(output.exit_status, 3);
    EXPECT_EQ(output.standard_error.size(), 300000u);
    EXPECT_EQ(output.standard_output.size(), 200000u);
    EXPECT_EQ(ChildProcess({program("kill -9 $$\n")}).finish().exit_status, 128 + 9);
}

} // namespace
} // namespace failback
