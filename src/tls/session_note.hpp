// What certgate remembers with a TLS session: whose it is, and for how long.
//
// Hangs on the SSL_SESSION as extra data and follows its copies. Immutable once attached, so that
// workers may share the session. A stateless ticket carries the same, sealed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "certgate/base/clock.hpp"
#include "certgate/x509/client_chain.hpp"
#include "openssl.hpp"

namespace certgate::tls {

struct SessionNote {
  x509::ClientChain::Pointer chain;  // null: the client presented none
  // The end of the lineage: the full handshake plus the host's session_lifetime, or the first
  // notAfter of what was presented. Resuming renews tickets but never this.
  UnixSeconds expires = 0;
};

using SessionNotePointer = std::shared_ptr<SessionNote const>;

// Null when there is none.
SessionNotePointer note_of(SSL_SESSION const* session);
bool attach_note(SSL_SESSION* session, SessionNotePointer note);

// The first second at which the chain may no longer be resumed.
UnixSeconds end_of_validity(x509::ClientChain const& chain);

// A stateless ticket's application data: everything of the note but the leaf, which the ticket
// holds anyway. nullopt when the other certificates are too large to travel in a ticket.
inline constexpr std::size_t max_ticket_note_bytes = 8 * 1024;
std::optional<std::string> format_ticket_note(SessionNote const& note);
struct TicketNote {
  UnixSeconds expires = 0;
  bool has_chain = false;
  std::vector<std::string> others;  // DER
};
std::optional<TicketNote> parse_ticket_note(Bytes bytes);

}  // namespace certgate::tls
