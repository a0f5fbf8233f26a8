// Binds the admin address, with the care that a unix socket's file needs.
#pragma once

#include <sys/types.h>

#include "certgate/admin/address.hpp"
#include "certgate/base/result.hpp"

namespace certgate::admin {

struct ListeningSocket {
  int descriptor = -1;  // the caller's to close
  Address address;      // as bound
  dev_t device = 0;     // of the unix socket's file
  ino_t inode = 0;
};
Result<ListeningSocket> listen_at(Address const& address);

// Removes the unix socket's file unless somebody has put another one there.
void remove_socket_file(ListeningSocket const& socket);

// Root, or the user this process runs as.
bool is_trusted_peer(int descriptor);

}  // namespace certgate::admin
