// The source that the command line names.
#pragma once

#include "helper/phases/context.h"
#include "helper/source/server_source.h"

#include <memory>

namespace failback {

struct OpenedSource {
    std::unique_ptr<Source> source;
    ServerSource *server = nullptr; // the same, if it is a server; -R and --slot ask for one
};

// Throws Error if it cannot be reached or is none.
OpenedSource open_source(const Context &context);

} // namespace failback
