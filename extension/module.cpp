// What makes this a module that PostgreSQL loads.

#include "extension/pg_backend.h"

extern "C" {
PG_MODULE_MAGIC;
}
