#include "helper/verify.h"

#include "helper/phases/verify.h"

#include <unistd.h>

namespace failback {

void run_verify(const Options &options)
{
    TargetDirectory target(options.target_pgdata, TargetDirectory::Access::read_only);
    Progress progress(options.progress, stderr, ::isatty(STDERR_FILENO) != 0);
    Summary summary;
    Context context{options, "", "", target, progress, summary};
    verify_target(context);
}

} // namespace failback
