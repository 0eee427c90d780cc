// Takes over what interrupted runs have staged, instead of fetching it again.
//
// What makes a staged block valid: in this run the source was asked for the 128-bit checksum of the block as it is now, and
// the staged one has the same. So it is what would be fetched, whatever the source has done since it was staged.
#pragma once

#include "helper/fetch/fetch.h"
#include "helper/fetch/stager.h"

namespace failback {

struct TakenOver {
    // The actions again, with what is still to be fetched of them; empty: nothing was taken over.
    std::vector<FileAction> remaining;
    FetchResult staged; // redo files of this run with what was taken over; bytes_received: checksums
    int64_t bytes = 0;  // taken over
};

// Stages for `actions` what earlier_staging() holds of their extents, block by block of `block_size` bytes, and removes it
// from there. A file that cannot be read or is damaged gives nothing. Throws Error as fetch_actions() does.
TakenOver take_over(Source &source, const TargetDirectory &target, const std::vector<FileAction> &actions,
                    const FetchOptions &options, SourceChanges &changes);

} // namespace failback
