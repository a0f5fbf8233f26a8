// certgate_zoo DIR: writes the certificate zoo, valid from now, into an existing directory.
#include <cstdio>

#include "support/zoo.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DIR\n", argv[0]);
    return 2;
  }
  auto const zoo = certgate::testing::build_zoo(certgate::testing::test_now());
  if (!certgate::testing::write_zoo(zoo, argv[1])) {
    std::fprintf(stderr, "%s: cannot write into %s\n", argv[0], argv[1]);
    return 1;
  }
  std::printf("%zu certificates\n", zoo.animals.size());
  return 0;
}
