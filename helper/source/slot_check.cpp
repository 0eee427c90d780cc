#include "helper/source/slot_check.h"

#include "common/error.h"
#include "helper/source/wire_format.h"

namespace failback {

namespace {

// As PostgreSQL wants it.
bool is_slot_name(const std::string &name)
{
    constexpr size_t longest = 63;
    return !name.empty() && name.size() <= longest && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

} // namespace

std::string find_slot_problem(Connection &connection, const std::string &name, bool create)
{
    const char *shown = name.c_str();
    if (!is_slot_name(name))
        return format("\"%s\" is no name for a replication slot: it may have up to 63 lower case letters, digits and underscores", shown);
    PgResult slot = connection.query("SELECT slot_type OPERATOR(pg_catalog.=) 'physical'::pg_catalog.text, active,"
                                     " wal_status OPERATOR(pg_catalog.=) 'lost'::pg_catalog.text"
                                     " FROM pg_catalog.pg_replication_slots"
                                     " WHERE slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name",
                                     {QueryParameter{25, name, false, false}}, true);
    if (slot && !BinaryField(slot.get(), 0, 0).boolean())
        return format("replication slot \"%s\" on the source is a logical one: a standby streams from a physical one", shown);
    if (slot && BinaryField(slot.get(), 0, 1).boolean())
        return format("replication slot \"%s\" on the source is in use", shown);
    if (slot && PQgetisnull(slot.get(), 0, 2) == 0 && BinaryField(slot.get(), 0, 2).boolean())
        return format("replication slot \"%s\" on the source has been invalidated: drop it, and have it created with --create-slot", shown);
    if (slot)
        return "";
    if (!create)
        return format("replication slot \"%s\" does not exist on the source: create it there, or have it created with --create-slot", shown);
    PgResult full = connection.query("SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>=)"
                                     " pg_catalog.current_setting('max_replication_slots')::pg_catalog.int8"
                                     " FROM pg_catalog.pg_replication_slots", {}, true);
    if (full && BinaryField(full.get(), 0, 0).boolean())
        return format("replication slot \"%s\" cannot be created: the source has as many as its max_replication_slots allows", shown);
    return "";
}

} // namespace failback
