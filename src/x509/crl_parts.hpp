// The pieces of a revocation list that its reader and its cursor share.
#pragma once

#include <string>

#include "certgate/base/encoding.hpp"
#include "certgate/x509/crl.hpp"
#include "der.hpp"

namespace certgate::x509 {

struct CrlExtension {
  Bytes oid;
  unsigned number = 0;  // n of 2.5.29.n, or 0
  bool critical = false;
  Bytes value;
};
// False when what follows is not an extension.
bool next_extension(der::Reader& list, CrlExtension& extension);

// False when what follows is not an entry. `unusable` (may be null) is set when the entry makes the
// whole list one that must not be used.
bool read_crl_entry(der::Reader& list, CrlEntry& entry, std::string* unusable);

}  // namespace certgate::x509
