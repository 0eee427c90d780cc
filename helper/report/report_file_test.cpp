#include "helper/report/report_file.h"

#include "common/error.h"
#include "common/test_directory.h"
#include "helper/pg_frontend.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace failback {
namespace {

namespace fs = std::filesystem;

class ReportFile : public testing::Test {
protected:
    static void SetUpTestSuite() { pg_logging_init("report_file_test"); }
    size_t entries() const { return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator())); }

    test::TestDirectory place;
    const std::string directory = place.path();
};

TEST_F(ReportFile, IsReplaced)
{
    std::string path = directory + "/report.json";
    write_report(path, "a long first report\n");
    write_report(path, "{}\n");
    std::stringstream content;
    content << std::ifstream(path).rdbuf();
    EXPECT_EQ(content.str(), "{}\n");
    EXPECT_EQ(entries(), 1u);
    EXPECT_THROW(write_report(directory + "/missing/report.json", "{}"), Error);
}

TEST_F(ReportFile, IsLookedAtBeforeAnythingElse)
{
    check_report("");
    check_report("-");
    check_report("/dev/null");
    check_report(directory + "/report.json");
    EXPECT_EQ(entries(), 0u);
    EXPECT_THROW(check_report(directory + "/missing/report.json"), Error);
    EXPECT_THROW(check_report(directory), Error);
}

TEST_F(ReportFile, OfAFailureDoesNotHideIt)
{
    write_failure_report("", "{}");
    write_failure_report(directory + "/missing/report.json", "{}");
    write_failure_report(directory + "/report.json", "{}");
    EXPECT_EQ(entries(), 1u);
}

} // namespace
} // namespace failback
