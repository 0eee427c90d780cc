// The only includer of postgres_fe.h in the helper.
#pragma once

extern "C" {
#include "postgres_fe.h"

#include "access/xlog_internal.h"
#include "access/xlogdefs.h"
#include "catalog/pg_control.h"
#include "common/logging.h"
}

// postgres_fe.h redirects printf and friends to its own; std:: users need the C library's names back.
#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vprintf
#undef vfprintf
#undef vsprintf
#undef vsnprintf
#undef strerror
#undef strerror_r
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext
#undef Min
#undef Max
