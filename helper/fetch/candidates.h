// Content that an interrupted run has staged, and what of it this run could use.
#pragma once

#include "helper/plan/extent_set.h"
#include "helper/target/earlier_staging.h"

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace failback {

// Whole blocks of one file, staged earlier.
struct Candidate {
    uint32_t action = 0; // of this run
    int64_t offset = 0;  // bytes
    std::vector<unsigned char> content;
};

// What this run's actions are to fetch, and have not got yet. Thread-safe.
class Wanted {
public:
    // The actions outlive it.
    Wanted(const std::vector<FileAction> &actions, uint32_t block_size);

    // Takes the whole blocks of `part` that are wanted of the file with this path, and adds them to `batch`: each is
    // handed out once, however often it was staged.
    void take(const std::string &path, const Extent &part, std::span<const unsigned char> content, std::vector<Candidate> &batch);
    // They were not what the source has.
    void give_back(uint32_t action, const Extent &part);
    // What is left to be fetched of the action with this index.
    std::vector<Extent> left(size_t action);

private:
    const std::vector<FileAction> &actions_;
    const int64_t block_size_;
    std::mutex mutex_;
    std::unordered_map<std::string_view, uint32_t> by_path_;
    std::unordered_map<uint32_t, ExtentSet> touched_; // made of the action's extents when first asked for
};

// One redo file of an earlier run, and the whole files it tells of.
class StagedContent {
public:
    StagedContent(const TargetDirectory &target, const EarlierStaging &earlier, const std::string &redo_file)
        : target_(target), earlier_(earlier), redo_file_(redo_file)
    {
    }

    // Calls `found` with each piece whose content matches its checksum. The file may end anywhere, or be damaged: then there
    // is nothing more in it. Throws what `found` throws.
    using Found = std::function<void(uint32_t action, const Extent &part, std::span<const unsigned char> content)>;
    void read(const Found &found);

private:
    std::span<const unsigned char> whole_file_content(uint32_t action, const Extent &part);

    const TargetDirectory &target_;
    const EarlierStaging &earlier_;
    const std::string &redo_file_;
    FileDescriptor fd_; // of the whole file read last
    uint32_t open_ = 0;
    std::vector<unsigned char> buffer_;
};

} // namespace failback
