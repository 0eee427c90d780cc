#include "common/block_sums.h"

namespace failback {

void append_block_sums(std::vector<unsigned char> &sums, std::span<const unsigned char> content, size_t block_size)
{
    for (; content.size() >= block_size; content = content.subspan(block_size)) {
        const Checksum sum = default_checksum_algorithm().compute(content.first(block_size));
        sums.insert(sums.end(), sum.bytes.begin(), sum.bytes.end());
    }
}

Checksum chunk_digest(std::span<const unsigned char> sums)
{
    return default_checksum_algorithm().compute(sums);
}

} // namespace failback
