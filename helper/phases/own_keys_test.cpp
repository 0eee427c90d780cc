#include "helper/phases/own_keys.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace failback {
namespace {

using Names = std::set<std::string>;

TEST(OwnKeys, WordsAreFoundAsInPgHba)
{
    EXPECT_EQ(words_of(""), Names());
    EXPECT_EQ(words_of("\n \t\n# a b\n"), Names());
    EXPECT_EQ(words_of("db.example a.crt \"my key.pem\",ca.crt # old.pem\n\nother b.crt\tb.pem"),
              Names({"db.example", "a.crt", "my key.pem", "ca.crt", "other", "b.crt", "b.pem"}));
    EXPECT_EQ(words_of("\"never closed\nnext"), Names({"never closed", "next"}));
}

TEST(OwnKeys, OnlyFilesInsideOfTheDataDirectory)
{
    std::string place = (std::filesystem::temp_directory_path() / "failback_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(place.data()), nullptr);
    std::string data = place + "/data";
    std::filesystem::create_directories(data + "/tls");
    for (const char *name : {"/data/tls/one.pem", "/data/two.pem", "/data/server.pem", "/data/unnamed.pem", "/outside.pem"})
        std::ofstream(place + name) << "key";
    std::filesystem::create_symlink(data + "/two.pem", data + "/link");
    using Keys = std::set<std::string, std::less<>>;
    EXPECT_EQ(own_keys(data, "", "pg_hosts.conf"), Keys());
    EXPECT_EQ(own_keys(data, "server.pem", ""), Keys({"server.pem"}));
    EXPECT_EQ(own_keys(data, place + "/outside.pem", ""), Keys());
    EXPECT_EQ(own_keys(data, "not there", ""), Keys());
    std::ofstream(data + "/pg_hosts.conf") << "a tls/one.pem link\nb ../outside.pem " << data << "/server.pem tls not_there\n";
    EXPECT_EQ(own_keys(data, "", "pg_hosts.conf"), Keys({"tls/one.pem", "two.pem", "server.pem"}));
    EXPECT_EQ(own_keys(data, "", data + "/pg_hosts.conf"), Keys({"tls/one.pem", "two.pem", "server.pem"}));
    EXPECT_EQ(own_keys(data, "two.pem", ""), Keys({"two.pem"}));
    EXPECT_EQ(own_keys(place + "/nothing", "server.pem", ""), Keys());
    std::filesystem::remove_all(place);
}

} // namespace
} // namespace failback
