#include "helper/wal/block_map.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <utility>

namespace failback {

namespace {

constexpr uint32_t chunk_blocks = 512;
constexpr uint32_t chunk_words = chunk_blocks / 64;
constexpr uint32_t no_index = UINT32_MAX;

// Changed blocks of 512 consecutive ones of a relation, one bit each.
struct Chunk {
    uint32_t relation = 0;    // subscript into relations
    uint32_t number = 0;      // first block / 512
    uint32_t next = no_index; // another chunk of the same relation
    std::array<uint64_t, chunk_words> bits{};
};

struct Relation {
    RelationId id;
    uint32_t first_chunk = no_index;
    uint32_t truncated_to = 0; // blocks from here on are suspect, if truncated
    bool truncated = false;
    bool created = false;
};

uint64_t mix(uint64_t value)
{
    value ^= value >> 31;
    value *= 0x9E3779B97F4A7C15u;
    value ^= value >> 29;
    value *= 0xBF58476D1CE4E5B9u;
    return value ^ (value >> 32);
}

// Open addressing over subscripts: the keys stand once, in the container that the subscripts point into.
class SubscriptTable {
public:
    template <class IsEqual> uint32_t find(uint64_t hash, IsEqual is_equal) const
    {
        if (slots_.empty())
            return no_index;
        for (size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at] == no_index || is_equal(slots_[at]))
                return slots_[at];
        }
    }

    // `rehash` gives the hash of what a subscript points to.
    template <class Rehash> void insert(uint32_t subscript, uint64_t hash, Rehash rehash)
    {
        if ((used_ + 1) * 4 > slots_.size() * 3) {
            std::vector<uint32_t> old = std::exchange(slots_, {});
            slots_.assign(std::max<size_t>(64, old.size() * 2), no_index);
            for (uint32_t each : old) {
                if (each != no_index)
                    place(each, rehash(each));
            }
        }
        place(subscript, hash);
        ++used_;
    }

private:
    void place(uint32_t subscript, uint64_t hash)
    {
        size_t at = hash & (slots_.size() - 1);
        while (slots_[at] != no_index)
            at = (at + 1) & (slots_.size() - 1);
        slots_[at] = subscript;
    }

    std::vector<uint32_t> slots_; // a power of two of them
    size_t used_ = 0;
};

uint64_t hash_of(const RelationId &id)
{
    return mix(mix(uint64_t{id.tablespace} << 32 | id.database) ^ id.number);
}

uint64_t hash_of(uint32_t relation, uint32_t chunk_number)
{
    return mix(uint64_t{relation} << 32 | chunk_number);
}

// Adds [first, first + count) behind the last run, joined with it where they touch or overlap.
void append_run(std::vector<BlockRun> &runs, uint64_t first, uint64_t count)
{
    if (count == 0)
        return;
    if (!runs.empty()) {
        BlockRun &last = runs.back();
        uint64_t last_end = uint64_t{last.first} + last.count;
        if (first <= last_end) {
            last.count = static_cast<uint32_t>(std::max(last_end, first + count) - last.first);
            return;
        }
    }
    runs.push_back({static_cast<uint32_t>(first), static_cast<uint32_t>(count)});
}

// The runs of set bits of one chunk that lie in [from, to).
void append_chunk(std::vector<BlockRun> &runs, const Chunk &chunk, uint64_t from, uint64_t to)
{
    for (uint32_t word = 0; word < chunk_words; ++word) {
        uint64_t base = uint64_t{chunk.number} * chunk_blocks + word * 64;
        uint64_t rest = chunk.bits[word];
        while (rest != 0) {
            int start = std::countr_zero(rest);
            int length = std::countr_one(rest >> start);
            uint64_t first = std::max(base + start, from);
            uint64_t end = std::min(base + start + length, to);
            if (first < end)
                append_run(runs, first, end - first);
            rest = start + length == 64 ? 0 : rest & (~uint64_t{0} << (start + length));
        }
    }
}

} // namespace

struct BlockMap::Impl {
    std::vector<Relation> relations;
    std::deque<Chunk> chunks; // grows without a second copy of everything
    SubscriptTable relation_table;
    SubscriptTable chunk_table;
    std::set<std::pair<uint32_t, uint32_t>> created_databases; // tablespace, database
    uint64_t block_count = 0;
    // WAL names the same relation and neighbouring blocks again and again.
    uint32_t last_relation = no_index;
    uint32_t last_chunk = no_index;

    uint32_t find_relation(const RelationId &id) const
    {
        return relation_table.find(hash_of(id), [&](uint32_t each) { return relations[each].id == id; });
    }

    uint32_t relation_for(const RelationId &id)
    {
        if (last_relation != no_index && relations[last_relation].id == id)
            return last_relation;
        uint32_t found = find_relation(id);
        if (found == no_index) {
            found = static_cast<uint32_t>(relations.size());
            relations.push_back({.id = id});
            relation_table.insert(found, hash_of(id), [&](uint32_t each) { return hash_of(relations[each].id); });
        }
        return last_relation = found;
    }

    Chunk &chunk_for(uint32_t relation, uint32_t number)
    {
        if (last_chunk != no_index && chunks[last_chunk].relation == relation && chunks[last_chunk].number == number)
            return chunks[last_chunk];
        uint64_t hash = hash_of(relation, number);
        uint32_t found = chunk_table.find(hash, [&](uint32_t each) {
            return chunks[each].relation == relation && chunks[each].number == number;
        });
        if (found == no_index) {
            found = static_cast<uint32_t>(chunks.size());
            chunks.push_back({.relation = relation, .number = number, .next = relations[relation].first_chunk});
            relations[relation].first_chunk = found;
            chunk_table.insert(found, hash,
                               [&](uint32_t each) { return hash_of(chunks[each].relation, chunks[each].number); });
        }
        last_chunk = found;
        return chunks[found];
    }
};

BlockMap::BlockMap() : impl_(std::make_unique<Impl>()) {}
BlockMap::~BlockMap() = default;
BlockMap::BlockMap(BlockMap &&) noexcept = default;
BlockMap &BlockMap::operator=(BlockMap &&) noexcept = default;

void BlockMap::add_block(const RelationId &relation, uint32_t block)
{
    Chunk &chunk = impl_->chunk_for(impl_->relation_for(relation), block / chunk_blocks);
    uint64_t &word = chunk.bits[block % chunk_blocks / 64];
    uint64_t bit = uint64_t{1} << (block % 64);
    if ((word & bit) == 0) {
        word |= bit;
        ++impl_->block_count;
    }
}

void BlockMap::add_first_blocks()
{
    for (size_t i = 0; i < impl_->relations.size(); i++)
        if (impl_->relations[i].first_chunk != no_index)
            add_block(RelationId(impl_->relations[i].id), 0);
}

void BlockMap::add_truncation(const RelationId &relation, uint32_t new_blocks)
{
    Relation &entry = impl_->relations[impl_->relation_for(relation)];
    entry.truncated_to = entry.truncated ? std::min(entry.truncated_to, new_blocks) : new_blocks;
    entry.truncated = true;
}

void BlockMap::add_created(const RelationId &relation)
{
    impl_->relations[impl_->relation_for(relation)].created = true;
}

void BlockMap::add_created_database(uint32_t tablespace, uint32_t database)
{
    impl_->created_databases.emplace(tablespace, database);
}

std::vector<BlockRun> BlockMap::runs(const RelationId &relation, uint32_t from, uint32_t to) const
{
    std::vector<BlockRun> result;
    uint32_t found = impl_->find_relation(relation);
    if (found == no_index || from >= to)
        return result;
    const Relation &entry = impl_->relations[found];
    uint64_t tail = entry.truncated ? std::clamp(entry.truncated_to, from, to) : to;

    std::vector<uint32_t> wanted;
    for (uint32_t each = entry.first_chunk; each != no_index; each = impl_->chunks[each].next) {
        uint64_t first = uint64_t{impl_->chunks[each].number} * chunk_blocks;
        if (first < tail && first + chunk_blocks > from)
            wanted.push_back(each);
    }
    std::sort(wanted.begin(), wanted.end(),
              [&](uint32_t a, uint32_t b) { return impl_->chunks[a].number < impl_->chunks[b].number; });
    for (uint32_t each : wanted)
        append_chunk(result, impl_->chunks[each], from, tail);
    append_run(result, tail, to - tail);
    return result;
}

bool BlockMap::replace_whole(const RelationId &relation) const
{
    if (impl_->created_databases.contains({relation.tablespace, relation.database}))
        return true;
    uint32_t found = impl_->find_relation(relation);
    return found != no_index && impl_->relations[found].created;
}

std::vector<RelationId> BlockMap::relations() const
{
    std::vector<RelationId> result;
    result.reserve(impl_->relations.size());
    for (const Relation &each : impl_->relations)
        result.push_back(each.id);
    std::sort(result.begin(), result.end());
    return result;
}

uint64_t BlockMap::block_count() const
{
    return impl_->block_count;
}

} // namespace failback
