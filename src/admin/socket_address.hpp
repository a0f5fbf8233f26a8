// An admin address as the operating system wants it.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "certgate/admin/address.hpp"

namespace certgate::admin {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  // REQUIRES: a unix path of at most max_unix_path bytes.
  explicit SocketAddress(Address const& address) {
    if (address.is_unix()) {
      sockaddr_un unix_address{};
      unix_address.sun_family = AF_UNIX;
      std::copy(address.unix_path.begin(), address.unix_path.end(), unix_address.sun_path);
      store(unix_address);
    } else if (address.tcp.address.is_v4()) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(address.tcp.port);
      v4.sin_addr.s_addr = htonl(address.tcp.address.v4_number());
      store(v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(address.tcp.port);
      std::memcpy(v6.sin6_addr.s6_addr, address.tcp.address.bytes().data(), 16);
      store(v6);
    }
  }
  sockaddr const* get() const { return reinterpret_cast<sockaddr const*>(&storage); }
  int family() const { return storage.ss_family; }

 private:
  template <class Kind>
  void store(Kind const& address) {
    std::memcpy(&storage, &address, sizeof(address));
    size = sizeof(address);
  }
};

}  // namespace certgate::admin
