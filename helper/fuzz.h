// Makes one function that takes any bytes both a libFuzzer program (make fuzz) and a unit test, which gives it the
// files of fuzz_corpus/ beside the source: inputs that reach far, and every one that ever failed.
#pragma once

#include "common/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

namespace failback::test {

// Takes values off the front of a fuzzer's input; zeros once it is used up.
class FuzzInput {
public:
    explicit FuzzInput(std::span<const unsigned char> bytes) : bytes_(bytes) {}
    bool empty() const { return bytes_.empty(); }

    template <class Integer = uint8_t> Integer take()
    {
        uint64_t value = 0;
        for (size_t i = 0; i < sizeof(Integer) && !bytes_.empty(); i++) {
            value |= uint64_t{bytes_[0]} << (8 * i);
            bytes_ = bytes_.subspan(1);
        }
        return static_cast<Integer>(value);
    }
    bool flag() { return take() & 1; }

    std::string text(size_t length)
    {
        auto taken = bytes_.first(std::min(length, bytes_.size()));
        bytes_ = bytes_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }
    std::string rest() { return text(bytes_.size()); }

private:
    std::span<const unsigned char> bytes_;
};

inline std::span<const unsigned char> bytes_view(const std::string &text)
{
    return {reinterpret_cast<const unsigned char *>(text.data()), text.size()};
}

// What must hold whatever the input is.
inline void fuzz_expect(bool holds, const char *what)
{
    if (holds)
        return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// Anything but an Error is a finding: the exception gets through, and ends the program.
template <class Function> bool accepts(Function function)
{
    try {
        function();
        return true;
    } catch (const Error &) {
        return false;
    }
}

inline void replay_corpus(const char *source, void (*target)(std::span<const unsigned char>))
{
    std::filesystem::path file(source);
    std::string name = file.stem();
    std::filesystem::path corpus = file.parent_path() / "fuzz_corpus" / name.substr(0, name.rfind("_fuzz"));
    size_t inputs = 0;
    for (const auto &entry : std::filesystem::directory_iterator(corpus)) {
        SCOPED_TRACE(entry.path());
        std::ifstream in(entry.path(), std::ios::binary);
        std::string input{std::istreambuf_iterator<char>(in), {}};
        target(bytes_view(input));
        inputs++;
    }
    EXPECT_GT(inputs, 0u);
}

} // namespace failback::test

#ifdef FAILBACK_FUZZING
#define FAILBACK_FUZZ_TARGET(name, target)                                                                                    \
    extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                   \
    {                                                                                                                         \
        target({data, size});                                                                                                 \
        return 0;                                                                                                             \
    }
#else
#define FAILBACK_FUZZ_TARGET(name, target)                                                                                    \
    TEST(name, HandlesTheCorpus) { failback::test::replay_corpus(__FILE__, target); }
#endif
