// certgate: a TLS-terminating reverse proxy that enforces mTLS rules.
#include "certgate/cli/command.hpp"

int main(int argc, char** argv) { return certgate::cli::run(argc, argv); }
