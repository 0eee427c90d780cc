// The staged plan, read back after a restart from a disk that may have damaged it.
#include "helper/target/staged_plan.h"

#include "common/checksum.h"
#include "common/path_text.h"
#include "helper/fuzz.h"

namespace failback {
namespace {

void fuzz(std::span<const unsigned char> bytes)
{
    test::FuzzInput input(bytes);
    uint8_t repairs = input.take();
    std::string text = input.rest();
    if (repairs & 1)
        text.insert(0, "FBPLAN01", 8);
    std::vector<unsigned char> file(text.begin(), text.end());
    if (repairs & 2) {
        Checksum checksum = default_checksum_algorithm().compute(file);
        file.insert(file.end(), checksum.bytes.begin(), checksum.bytes.end());
    }
    test::accepts([&] {
        StagedPlan plan = decode_staged_plan(file, "plan");
        for (const FileAction &action : plan.actions)
            check_relative_path(action.path);
        test::fuzz_expect(encode_staged_plan(plan) == file, "a plan has one encoding");
    });
}

} // namespace
} // namespace failback

FAILBACK_FUZZ_TARGET(StagedPlanFuzz, failback::fuzz)
