#include "common/checksum.h"

#include "common/error.h"

#include <xxhash.h>

#include <algorithm>
#include <new>

namespace failback {

namespace {

Checksum from_xxh128(XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    Checksum result;
    result.length = sizeof(canonical.digest);
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), result.bytes.begin());
    return result;
}

Checksum from_xxh64(XXH64_hash_t hash)
{
    XXH64_canonical_t canonical;
    XXH64_canonicalFromHash(&canonical, hash);
    Checksum result;
    result.length = sizeof(canonical.digest);
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), result.bytes.begin());
    return result;
}

class Xxh128 final : public Checksummer {
public:
    Xxh128() : state_(XXH3_createState())
    {
        if (!state_)
            throw std::bad_alloc();
        XXH3_128bits_reset(state_.get());
    }
    void update(std::span<const unsigned char> data) override
    {
        XXH3_128bits_update(state_.get(), data.data(), data.size());
    }
    Checksum finish() override { return from_xxh128(XXH3_128bits_digest(state_.get())); }

private:
    struct Free {
        void operator()(XXH3_state_t *state) const { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, Free> state_;
};

class Xxh64 final : public Checksummer {
public:
    Xxh64() : state_(XXH64_createState())
    {
        if (!state_)
            throw std::bad_alloc();
        XXH64_reset(state_.get(), 0);
    }
    void update(std::span<const unsigned char> data) override
    {
        XXH64_update(state_.get(), data.data(), data.size());
    }
    Checksum finish() override { return from_xxh64(XXH64_digest(state_.get())); }

private:
    struct Free {
        void operator()(XXH64_state_t *state) const { XXH64_freeState(state); }
    };
    std::unique_ptr<XXH64_state_t, Free> state_;
};

constexpr ChecksumAlgorithm algorithms[] = {
    {"xxh128", 16,
     [](std::span<const unsigned char> data) { return from_xxh128(XXH3_128bits(data.data(), data.size())); },
     []() -> std::unique_ptr<Checksummer> { return std::make_unique<Xxh128>(); }},
    {"xxh64", 8,
     [](std::span<const unsigned char> data) { return from_xxh64(XXH64(data.data(), data.size(), 0)); },
     []() -> std::unique_ptr<Checksummer> { return std::make_unique<Xxh64>(); }},
};

} // namespace

std::string Checksum::hex() const
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(size_t{2} * length);
    for (size_t i = 0; i < length; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 0x0f];
    }
    return text;
}

const ChecksumAlgorithm &find_checksum_algorithm(std::string_view name)
{
    std::string known;
    for (const ChecksumAlgorithm &algorithm : algorithms) {
        if (name == algorithm.name)
            return algorithm;
        known += known.empty() ? "" : ", ";
        known += format("\"%s\"", algorithm.name);
    }
    throw Error(ErrorCode::invalid_parameter,
                format("unrecognized checksum algorithm: \"%s\"", std::string(name).c_str()), {},
                format("Known algorithms are %s.", known.c_str()));
}

const ChecksumAlgorithm &default_checksum_algorithm()
{
    return algorithms[0];
}

} // namespace failback
