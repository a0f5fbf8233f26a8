#include "session_note.hpp"

#include <algorithm>

namespace certgate::tls {
namespace {

int duplicate(CRYPTO_EX_DATA*, CRYPTO_EX_DATA const*, void** data, int, long, void*) {
  auto const* const note = static_cast<SessionNotePointer const*>(*data);
  if (note != nullptr) *data = new SessionNotePointer(*note);
  return 1;
}

void release(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<SessionNotePointer*>(data);
}

int index() {
  static int const made = SSL_SESSION_get_ex_new_index(0, nullptr, nullptr, duplicate, release);
  return made;
}

constexpr char note_format = 1;

void append_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((number >> (8 * i)) & 0xff);
}

std::uint64_t take_number(Bytes& from, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | from[i];
  from = from.subspan(bytes);
  return number;
}

}  // namespace

SessionNotePointer note_of(SSL_SESSION const* session) {
  if (session == nullptr) return nullptr;
  auto const* const note =
      static_cast<SessionNotePointer const*>(SSL_SESSION_get_ex_data(session, index()));
  return note != nullptr ? *note : nullptr;
}

bool attach_note(SSL_SESSION* session, SessionNotePointer note) {
  release(nullptr, SSL_SESSION_get_ex_data(session, index()), nullptr, 0, 0, nullptr);
  auto owner = std::make_unique<SessionNotePointer>(std::move(note));
  bool const attached = SSL_SESSION_set_ex_data(session, index(), owner.get()) == 1;
  if (attached) (void)owner.release();
  return attached;
}

UnixSeconds end_of_validity(x509::ClientChain const& chain) {
  auto end = chain.leaf().not_after();
  for (auto const& other : chain.others()) end = std::min(end, other->not_after());
  return end;
}

std::optional<std::string> format_ticket_note(SessionNote const& note) {
  std::string out;
  out += note_format;
  append_number(out, static_cast<std::uint64_t>(note.expires), 8);
  out += note.chain ? '\1' : '\0';
  if (note.chain) {
    for (auto const& other : note.chain->others()) {
      append_number(out, other->der().size(), 3);
      out += as_text(other->der());
    }
  }
  if (out.size() > max_ticket_note_bytes) return std::nullopt;
  return out;
}

std::optional<TicketNote> parse_ticket_note(Bytes bytes) {
  if (bytes.size() < 10 || bytes[0] != note_format) return std::nullopt;
  bytes = bytes.subspan(1);
  TicketNote note;
  note.expires = static_cast<UnixSeconds>(take_number(bytes, 8));
  note.has_chain = take_number(bytes, 1) == 1;
  while (!bytes.empty()) {
    if (bytes.size() < 3) return std::nullopt;
    auto const size = take_number(bytes, 3);
    if (size > bytes.size()) return std::nullopt;
    note.others.emplace_back(as_text(bytes.first(size)));
    bytes = bytes.subspan(size);
  }
  return note;
}

}  // namespace certgate::tls
