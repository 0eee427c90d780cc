// Which options go together, and which with which command.
#pragma once

#include "common/error.h"
#include "helper/options.h"

#include <string>
#include <string_view>
#include <vector>

namespace failback {

// With the hint 'Try "pg_failback --help" for more information.'
Error usage_error(const std::string &program, const std::string &message);

// True, and sets `command`, if the word names one (the default, failback, has no word).
bool find_command(std::string_view word, Command &command);

// `given`: long names of the options on the command line; `arguments`: what is no option, the command's word taken
// away. Throws Error(invalid_parameter).
void check_options(const Options &options, const std::vector<std::string> &given, const std::vector<std::string> &arguments);

} // namespace failback
