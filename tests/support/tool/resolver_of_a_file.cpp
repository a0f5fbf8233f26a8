// A resolver that knows what a file says and nothing else: no name server is asked.
//
// Loaded into certgate with LD_PRELOAD by the black-box tests, in place of the system's. The file that
// CERTGATE_TEST_NAMES names holds lines of "ADDRESS NAME"; it is read for each look-up.
#include <arpa/inet.h>
#include <netdb.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {

// An entry and its address in one block, as the C library's own.
struct Entry {
  addrinfo info{};
  sockaddr_in address{};
};

}  // namespace

extern "C" {

int getaddrinfo(char const* node, char const* service, addrinfo const* hints, addrinfo** found) {
  auto const* const path = std::getenv("CERTGATE_TEST_NAMES");
  if (node == nullptr || service != nullptr || hints == nullptr || path == nullptr) return EAI_SYSTEM;
  std::ifstream names(path);
  std::string address, name;
  *found = nullptr;
  auto** end = found;
  while (names >> address >> name) {
    if (name != node) continue;
    auto* const entry = new Entry;
    entry->address.sin_family = AF_INET;
    if (::inet_pton(AF_INET, address.c_str(), &entry->address.sin_addr) != 1) return EAI_FAIL;
    entry->info.ai_family = AF_INET;
    entry->info.ai_socktype = hints->ai_socktype;
    entry->info.ai_addrlen = sizeof(entry->address);
    entry->info.ai_addr = reinterpret_cast<sockaddr*>(&entry->address);
    *end = &entry->info;
    end = &entry->info.ai_next;
  }
  return *found == nullptr ? EAI_NONAME : 0;
}

void freeaddrinfo(addrinfo* entry) {
  while (entry != nullptr) {
    auto* const next = entry->ai_next;
    delete reinterpret_cast<Entry*>(entry);  // begins with it
    entry = next;
  }
}

}  // extern "C"
