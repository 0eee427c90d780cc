#include "common/payload_compression.h"

#include "common/error.h"

#include <lz4.h>
#include <lz4hc.h>
#include <zstd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <string>

namespace failback {

namespace {

[[noreturn]] void damaged(const char *algorithm, size_t expected)
{
    throw Error(ErrorCode::data_corrupted,
                format("could not decompress %s payload to %zu bytes", algorithm, expected));
}

size_t none_compress(std::span<const unsigned char> in, std::span<unsigned char> out, int)
{
    if (out.size() < in.size())
        throw Error(ErrorCode::internal, "output buffer is too small for the payload");
    if (!in.empty())
        std::memcpy(out.data(), in.data(), in.size());
    return in.size();
}

void none_decompress(std::span<const unsigned char> in, std::span<unsigned char> out)
{
    if (in.size() != out.size())
        damaged("uncompressed", out.size());
    if (!in.empty())
        std::memcpy(out.data(), in.data(), in.size());
}

size_t lz4_bound(size_t size)
{
    return size > LZ4_MAX_INPUT_SIZE ? 0 : static_cast<size_t>(LZ4_compressBound(static_cast<int>(size)));
}

size_t lz4_compress(std::span<const unsigned char> in, std::span<unsigned char> out, int level)
{
    if (in.size() > LZ4_MAX_INPUT_SIZE || out.size() > INT_MAX)
        throw Error(ErrorCode::internal, format("payload of %zu bytes is too large for lz4", in.size()));
    const unsigned char nothing = 0; // lz4 reads through the address even of an empty payload
    auto source = reinterpret_cast<const char *>(in.empty() ? &nothing : in.data());
    auto target = reinterpret_cast<char *>(out.data());
    int in_size = static_cast<int>(in.size());
    int out_size = static_cast<int>(out.size());
    // Level 1 is lz4's fast mode; the levels from 2 on are its high-compression mode.
    int written = level <= 1 ? LZ4_compress_default(source, target, in_size, out_size)
                             : LZ4_compress_HC(source, target, in_size, out_size, level);
    if (written <= 0)
        throw Error(ErrorCode::internal, "could not compress payload with lz4");
    return static_cast<size_t>(written);
}

void lz4_decompress(std::span<const unsigned char> in, std::span<unsigned char> out)
{
    if (in.size() > INT_MAX || out.size() > INT_MAX)
        damaged("lz4", out.size());
    unsigned char nothing = 0; // lz4 wants an address even for an empty result
    int written = LZ4_decompress_safe(reinterpret_cast<const char *>(in.data()),
                                      reinterpret_cast<char *>(out.empty() ? &nothing : out.data()),
                                      static_cast<int>(in.size()), static_cast<int>(out.size()));
    if (written < 0 || static_cast<size_t>(written) != out.size())
        damaged("lz4", out.size());
}

// A context is expensive to make and cheap to use again, so each thread keeps its own.
struct FreeCompressor {
    void operator()(ZSTD_CCtx *context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
    void operator()(ZSTD_DCtx *context) const { ZSTD_freeDCtx(context); }
};

size_t zstd_compress(std::span<const unsigned char> in, std::span<unsigned char> out, int level)
{
    thread_local std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
    if (!context)
        throw std::bad_alloc();
    size_t written = ZSTD_compressCCtx(context.get(), out.data(), out.size(), in.data(), in.size(), level);
    if (ZSTD_isError(written))
        throw Error(ErrorCode::internal,
                    format("could not compress payload with zstd: %s", ZSTD_getErrorName(written)));
    return written;
}

void zstd_decompress(std::span<const unsigned char> in, std::span<unsigned char> out)
{
    thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
    if (!context)
        throw std::bad_alloc();
    size_t written = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), in.data(), in.size());
    if (ZSTD_isError(written) || written != out.size())
        damaged("zstd", out.size());
}

constexpr CompressionAlgorithm compression_algorithms[] = {
    {"none", CompressionId::none, 0, 0, 0, [](size_t size) { return size; }, none_compress, none_decompress},
    {"lz4", CompressionId::lz4, 1, 12, 1, lz4_bound, lz4_compress, lz4_decompress},
    {"zstd", CompressionId::zstd, 1, 22, 1, [](size_t size) { return ZSTD_compressBound(size); }, zstd_compress,
     zstd_decompress},
};

} // namespace

bool is_compression_id(int16_t number)
{
    return std::any_of(std::begin(compression_algorithms), std::end(compression_algorithms),
                       [&](const CompressionAlgorithm &algorithm) { return static_cast<int16_t>(algorithm.id) == number; });
}

CompressionId compression_id(int16_t number)
{
    if (!is_compression_id(number))
        throw Error(ErrorCode::data_corrupted, format("unrecognized compression method %d", number));
    return static_cast<CompressionId>(number);
}

const CompressionAlgorithm &find_compression(std::string_view name)
{
    std::string known;
    for (const CompressionAlgorithm &algorithm : compression_algorithms) {
        if (name == algorithm.name)
            return algorithm;
        known += known.empty() ? "" : ", ";
        known += format("\"%s\"", algorithm.name);
    }
    throw Error(ErrorCode::invalid_parameter,
                format("unrecognized compression algorithm: \"%s\"", std::string(name).c_str()), {},
                format("Known algorithms are %s.", known.c_str()));
}

const CompressionAlgorithm &find_compression(CompressionId id)
{
    for (const CompressionAlgorithm &algorithm : compression_algorithms) {
        if (algorithm.id == id)
            return algorithm;
    }
    throw Error(ErrorCode::data_corrupted, format("unrecognized compression method %d", static_cast<int>(id)));
}

} // namespace failback
