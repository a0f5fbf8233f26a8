// The two things that certgate reads of a ClientHello by itself; the rest is the library's business.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "certgate/base/encoding.hpp"
#include "certgate/tls/server_stream.hpp"

namespace certgate::tls {

// The host_name of a server_name extension's content (RFC 6066 §3), not yet checked as a name;
// nullopt unless it holds exactly one host_name and nothing else.
std::optional<std::string_view> parse_server_name(Bytes extension);

// Facts for the rules (fields.md §2) of a whole handshake message, header included. Null when it is
// cut short; OpenSSL then refuses it as well.
std::unique_ptr<ClientHelloFacts> read_client_hello(Bytes message);

}  // namespace certgate::tls
