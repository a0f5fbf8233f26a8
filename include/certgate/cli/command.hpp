// The command line: every command a person or a script can give.
//
// Exit status: 0 done, 1 failed, 2 bad usage or invalid configuration. What people asked for goes to
// standard output, what went wrong to standard error.
#pragma once

namespace certgate::cli {

int run(int argc, char** argv);

}  // namespace certgate::cli
