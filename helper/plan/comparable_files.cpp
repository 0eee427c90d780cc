#include "helper/plan/comparable_files.h"

#include <algorithm>

namespace failback {

std::vector<ComparableFile> comparable_files(const std::vector<FileEntry> &sources, const std::vector<FileEntry> &targets,
                                             int64_t block_size)
{
    std::vector<ComparableFile> files;
    auto target = targets.begin();
    for (const FileEntry &source : sources) {
        while (target != targets.end() && target->path < source.path)
            ++target;
        if (target == targets.end())
            break;
        if (target->path != source.path || source.kind != FileKind::regular || target->kind != FileKind::regular)
            continue;
        auto relation = parse_relation_path(source.path);
        int64_t length = std::min(source.size, target->size);
        length -= length % block_size;
        if (relation && relation->fork == ForkKind::main && length > 0)
            files.push_back({&*target, *relation, length});
    }
    return files;
}

} // namespace failback
