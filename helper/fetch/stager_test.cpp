#include "helper/fetch/stager.h"

#include "common/test_directory.h"
#include "helper/target/staging.h"

#include <map>
#include <optional>

namespace failback {
namespace {

class StagerTest : public testing::Test {
protected:
    StagerTest()
    {
        files.write("global/pg_control", "control");
        files.write("pg_wal/x", "");
        target.emplace(files.path(), TargetDirectory::Access::read_write);
        for (const char *name : {"base/5/1", "base/5/2", "base/5/3"}) {
            FileAction action;
            action.path = name;
            action.kind = FileActionKind::replace;
            action.size = 100;
            actions.push_back(action);
        }
        actions[2].staging = StagingKind::whole_file;
        create_staging(*target, actions);
        stager.emplace(*target, actions, redo_path, changes);
        request.ranges = {{"base/5/1", 10, 20}, {"base/5/2", 0, 5}, {"base/5/3", 0, 100}};
        request.owners = {0, 1, 2};
        stager->begin(request);
    }

    void row(int32_t first_range, int64_t start, std::vector<int64_t> results, bool finished, const std::string &content,
             CompressionId compression = CompressionId::none)
    {
        std::span<const unsigned char> raw{reinterpret_cast<const unsigned char *>(content.data()), content.size()};
        std::vector<unsigned char> packed;
        if (compression != CompressionId::none) {
            const CompressionAlgorithm &algorithm = find_compression(compression);
            packed.resize(algorithm.bound(raw.size()));
            packed.resize(algorithm.compress(raw, packed, algorithm.default_level));
        }
        ChunkRow row;
        row.first_range = first_range;
        row.start = start;
        row.results = results;
        row.finished = finished;
        row.compression = static_cast<int16_t>(compression);
        row.raw_size = static_cast<int32_t>(raw.size());
        row.payload = compression == CompressionId::none ? raw : std::span<const unsigned char>(packed);
        stager->row(row);
    }

    // What the redo file says: path@offset => content
    std::map<std::string, std::string> redo()
    {
        std::map<std::string, std::string> found;
        StagedRedo staged = stager->redo();
        if (staged.length == 0)
            return found;
        read_redo_file(*target, staged.path, staged.length, [&](const RedoRecord &record) {
            if (record.compression == content_elsewhere)
                return;
            std::vector<unsigned char> buffer(record.raw_size);
            std::span<const unsigned char> content = record.payload;
            if (record.compression != 0) {
                find_compression(static_cast<CompressionId>(record.compression)).decompress(record.payload, buffer);
                content = buffer;
            }
            for (const RedoPiece &piece : record.pieces) {
                std::string bytes(reinterpret_cast<const char *>(content.data()), static_cast<size_t>(piece.length));
                EXPECT_EQ(piece.checksum, checksum_of(bytes));
                content = content.subspan(static_cast<size_t>(piece.length));
                found[actions[piece.action].path + "@" + std::to_string(piece.offset)] = bytes;
            }
        });
        return found;
    }

    static Checksum checksum_of(const std::string &bytes)
    {
        return default_checksum_algorithm().compute({reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size()});
    }

    // path@offset+length of what was noted of whole files, in order; its checksum is that of the file's content.
    std::vector<std::string> noted()
    {
        std::vector<std::string> found;
        StagedRedo staged = stager->redo();
        read_redo_file(*target, staged.path, staged.length, [&](const RedoRecord &record) {
            for (const RedoPiece &piece : record.pieces) {
                if (record.compression != content_elsewhere)
                    continue;
                std::string content = whole().substr(static_cast<size_t>(piece.offset), static_cast<size_t>(piece.length));
                EXPECT_EQ(piece.checksum, checksum_of(content));
                found.push_back(format("%s@%d+%d", actions[piece.action].path.c_str(), static_cast<int>(piece.offset),
                                       static_cast<int>(piece.length)));
            }
        });
        return found;
    }

    std::string whole() const { return files.read(staged_file_path(actions[2], 2)); }

    const std::string redo_path = std::string(staging_name) + "/blocks.0";
    test::TestDirectory files;
    std::optional<TargetDirectory> target;
    std::vector<FileAction> actions;
    SourceChanges changes;
    std::optional<Stager> stager;
    Request request;
};

TEST_F(StagerTest, NothingStagedWithoutRows)
{
    stager->finish(true);
    EXPECT_EQ(stager->redo().length, 0);
    EXPECT_FALSE(files.exists(redo_path));
}

TEST_F(StagerTest, RedoPiecesGoToTheirPlacesInTheFile)
{
    row(1, 0, {20, 3}, false, std::string(20, 'a') + "bbb");
    row(2, 3, {2}, true, "cc");
    stager->finish(true);
    EXPECT_EQ(redo(), (std::map<std::string, std::string>{{"base/5/1@10", std::string(20, 'a')}, {"base/5/2@0", "bbb"}, {"base/5/2@3", "cc"}}));
    EXPECT_EQ(stager->bytes_fetched(), 25);
    EXPECT_EQ(stager->bytes_staged(), stager->redo().length);
}

TEST_F(StagerTest, CompressedRowsStayAsTheyCame)
{
    for (CompressionId compression : {CompressionId::lz4, CompressionId::zstd}) {
        stager.emplace(*target, actions, redo_path, changes);
        stager->begin(request);
        row(1, 0, {20}, true, std::string(20, 'a'), compression);
        EXPECT_EQ(redo(), (std::map<std::string, std::string>{{"base/5/1@10", std::string(20, 'a')}}));
    }
}

TEST_F(StagerTest, ARowThatCannotBeUnpackedIsRefusedBeforeTheCommit)
{
    std::vector<int64_t> results = {20};
    std::vector<unsigned char> garbage(50, 0xA5);
    ChunkRow bad;
    bad.first_range = 1;
    bad.results = results;
    bad.finished = true;
    bad.raw_size = 20;
    bad.payload = garbage;
    for (int compression : {1, 2, 3, 77, -1}) {
        bad.compression = static_cast<int16_t>(compression);
        EXPECT_THROW(stager->row(bad), Error) << compression;
    }
    // Accepted by no reader of the redo file.
    std::vector<unsigned char> huge(3 * row_payload_bytes);
    bad.compression = static_cast<int16_t>(CompressionId::zstd);
    bad.payload = huge;
    EXPECT_THROW(stager->row(bad), Error);
    EXPECT_EQ(stager->redo().length, 0);
}

TEST_F(StagerTest, WholeFilesAreBuiltBeside)
{
    row(3, 0, {40}, false, std::string(40, 'x'));
    row(3, 40, {60}, true, std::string(60, 'y'));
    stager->finish(true);
    EXPECT_EQ(whole(), std::string(40, 'x') + std::string(60, 'y'));
    EXPECT_TRUE(redo().empty());
    EXPECT_EQ(noted(), (std::vector<std::string>{"base/5/3@0+40", "base/5/3@40+60"}));
    EXPECT_EQ(stager->bytes_staged() - stager->redo().length, 100);
}

TEST_F(StagerTest, ARowMayHaveBoth)
{
    for (CompressionId compression : {CompressionId::none, CompressionId::zstd}) {
        stager.emplace(*target, actions, redo_path, changes);
        stager->begin(request);
        row(1, 0, {20, 5, 10}, false, std::string(20, 'a') + "bbbbb" + std::string(10, 'w'), compression);
        stager->finish(true);
        EXPECT_EQ(redo(), (std::map<std::string, std::string>{{"base/5/1@10", std::string(20, 'a')}, {"base/5/2@0", "bbbbb"}}));
        EXPECT_EQ(whole(), std::string(10, 'w'));
        EXPECT_EQ(noted(), std::vector<std::string>{"base/5/3@0+10"});
    }
}

TEST_F(StagerTest, ZerosOfANewFileNeedNotBeWritten)
{
    row(3, 0, {40}, false, std::string(40, '\0'));
    row(3, 40, {60}, true, std::string(60, 'y'));
    stager->finish(true);
    EXPECT_EQ(whole(), std::string(40, '\0') + std::string(60, 'y'));
    EXPECT_EQ(noted(), (std::vector<std::string>{"base/5/3@0+40", "base/5/3@40+60"}));
    EXPECT_EQ(stager->bytes_staged() - stager->redo().length, 60);
}

TEST_F(StagerTest, FilesThatAreGoneBecomeRemovals)
{
    row(1, 0, {range_vanished, 5, range_vanished}, true, "bbbbb");
    stager->finish(true);
    changes.apply_to(actions);
    EXPECT_EQ(actions[0].kind, FileActionKind::remove);
    EXPECT_EQ(actions[1].kind, FileActionKind::replace);
    EXPECT_EQ(actions[2].kind, FileActionKind::remove);
    EXPECT_EQ(redo(), (std::map<std::string, std::string>{{"base/5/2@0", "bbbbb"}}));
}

TEST_F(StagerTest, AFileThatVanishesHalfWayIsARemovalToo)
{
    row(3, 0, {40}, false, std::string(40, 'x'));
    row(3, 40, {range_vanished}, true, "");
    changes.apply_to(actions);
    EXPECT_EQ(actions[2].kind, FileActionKind::remove);
}

TEST_F(StagerTest, FilesThatEndEarlyGetThatSize)
{
    row(1, 0, {7, 5, 40}, false, std::string(7, 'a') + "bbbbb" + std::string(40, 'x'));
    row(3, 40, {0}, true, "");
    changes.apply_to(actions);
    EXPECT_EQ(actions[0].size, 17) << "offset 10 and 7 bytes";
    EXPECT_EQ(actions[1].size, 100) << "all that was asked for";
    EXPECT_EQ(actions[2].size, 40);
}

TEST_F(StagerTest, OfSeveralEndsTheFirstCounts)
{
    // Two ranges of one file: it was cut before either was read, or in between.
    request.ranges = {{"base/5/1", 10, 20}, {"base/5/1", 50, 20}, {"base/5/1", 80, 20}};
    request.owners = {0, 0, 0};
    row(1, 0, {20, 3, 0}, true, std::string(23, 'a'));
    changes.apply_to(actions);
    EXPECT_EQ(actions[0].size, 53);
}

TEST_F(StagerTest, AFileThatGrewKeepsThePlannedSize)
{
    changes.ended(0, 5000);
    changes.apply_to(actions);
    EXPECT_EQ(actions[0].size, 100);
}

} // namespace
} // namespace failback
