// TLS 1.3's key derivation (RFC 8446 §7.1) as an algorithm of an OpenSSL provider, on OpenSSL's hashes.
//
// A handshake derives 20 to 30 secrets. OpenSSL's own TLS13-KDF makes and frees some twenty objects
// for each, which costs eight times the hashing. This one keeps a hash of each kind for the thread.
// What it derives is the same. What it does not know (another hash than SHA-256 and SHA-384, a key
// longer than their block, a parameter that libssl does not use yet) it leaves to OpenSSL's.
// See: docs/decisions/0025-key-schedule.md
#pragma once

#include <openssl/core.h>
#include <openssl/types.h>

#include <string_view>

namespace certgate::tls {

constexpr std::string_view key_schedule_name = "TLS13-KDF";

// For OSSL_OP_KDF: this algorithm, and the empty row that ends the table.
OSSL_ALGORITHM const* key_schedule_algorithms();

// Makes it the one that is fetched from `library`, whose default provider is not yet loaded.
bool add_key_schedule(OSSL_LIB_CTX* library);

}  // namespace certgate::tls
