// What must not be shown of a command line or a connection string.
#pragma once

#include <string_view>

namespace failback {

// By the names of libpq's keywords for secrets (password, sslpassword, oauth_client_secret,
// scram_client_key, scram_server_key), and "user:password@" in a URI. Better one too many than one too few.
inline bool may_hold_secret(std::string_view text)
{
    for (std::string_view keyword : {"password", "secret", "client_key", "server_key"})
        if (text.find(keyword) != std::string_view::npos)
            return true;
    return text.find("://") != std::string_view::npos && text.find('@') != std::string_view::npos;
}

} // namespace failback
