// A directory of a unit test's own, removed with the object, and what is in it as values that can be compared.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>

namespace failback::test {

class TestDirectory {
public:
    TestDirectory()
    {
        std::string name = testing::TempDir() + "pg_failback_test_XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("could not make a directory for the test");
        path_ = name;
    }
    ~TestDirectory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TestDirectory(const TestDirectory &) = delete;
    TestDirectory &operator=(const TestDirectory &) = delete;

    const std::string &path() const { return path_; }
    std::string operator/(const std::string &relative) const { return path_ + "/" + relative; }

    // Makes the directories above it as well.
    void write(const std::string &relative, const std::string &content) const
    {
        std::filesystem::path file = path_ + "/" + relative;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    }

    std::string read(const std::string &relative) const
    {
        std::ifstream in(path_ + "/" + relative, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    bool exists(const std::string &relative) const
    {
        return std::filesystem::symlink_status(path_ + "/" + relative).type() != std::filesystem::file_type::not_found;
    }

    // Path below => "directory", "link TARGET" or "file CONTENT"; links are not followed.
    std::map<std::string, std::string> tree() const
    {
        std::map<std::string, std::string> found;
        for (const auto &entry : std::filesystem::recursive_directory_iterator(path_)) {
            std::string relative = entry.path().string().substr(path_.size() + 1);
            if (entry.is_symlink())
                found[relative] = "link " + std::filesystem::read_symlink(entry.path()).string();
            else if (entry.is_directory())
                found[relative] = "directory";
            else
                found[relative] = "file " + read(relative);
        }
        return found;
    }

private:
    std::string path_;
};

} // namespace failback::test
