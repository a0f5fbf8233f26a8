// Which TLS sessions are kept, for how long, and who may resume them.
//
// Every way to resume ends in may_resume(): TLS 1.2 session ids and TLS 1.3 stateful tickets by way of
// on_find_session, sealed tickets of both versions by way of on_open_ticket.
#include <algorithm>
#include <cstring>

#include "server_callbacks.hpp"
#include "session_note.hpp"
#include "transport.hpp"

#include <openssl/core_names.h>
#include <openssl/rand.h>

namespace certgate::tls {
namespace {

// What a kept session costs, roughly as measured: the SSL_SESSION, and with a client certificate
// OpenSSL's decoded leaf.
constexpr std::size_t session_bytes = 1408;
constexpr std::size_t decoded_leaf_bytes = 4352;

std::size_t charge_of(SessionNote const& note) {
  return note.chain ? session_bytes + decoded_leaf_bytes + 2 * note.chain->leaf().der().size()
                    : session_bytes;
}

// The facts keep what is needed of the other certificates: OpenSSL's copies (4 KiB each) can go.
// Done before another worker can get hold of the session, since it changes it.
void drop_intermediates(SSL const* ssl) {
  auto* const chain = SSL_get_peer_cert_chain(ssl);
  while (sk_X509_num(chain) > 0) X509_free(sk_X509_pop(chain));
}

}  // namespace

// Notes down whose session this is and until when it may resume. False: it is not to be kept.
bool ServerStream::Callbacks::prepare(SSL* ssl, SSL_SESSION* session) {
  auto& stream = of(ssl);
  if (stream.handshake_ == nullptr || !stream.session_.host) return false;
  auto const now = stream.context_.now();
  auto note = note_of(session);
  if (!note) {
    auto made = std::make_shared<SessionNote>();
    made->chain = stream.session_.chain;
    made->expires = now + stream.session_.host->profile().options().session_lifetime.count();
    if (made->chain) made->expires = std::min(made->expires, end_of_validity(*made->chain));
    note = std::move(made);
    if (!attach_note(session, note)) return false;
  }
  drop_intermediates(ssl);
  auto const rest = std::max<UnixSeconds>(note->expires - now, 0);
  // The ticket's lifetime hint as well. Never 0: OpenSSL then reads back 3 and fails, because its
  // encoding has become longer.
  SSL_SESSION_set_timeout(session, static_cast<long>(std::max<UnixSeconds>(rest, 1)));
  return rest > 0;
}

bool ServerStream::Callbacks::may_resume(ServerStream& stream, SSL_SESSION const* session,
                                         x509::ClientChain const* chain, UnixSeconds expires) {
  auto const& host = stream.session_.host;
  auto& context = stream.context_;
  auto const now = context.now();
  if (!host || expires <= now) return false;
  // OpenSSL compares the session id context too; here a mismatch costs nothing.
  unsigned size = 0;
  auto const* const scope = SSL_SESSION_get0_id_context(session, &size);
  auto const& wanted = host->scope().bytes;
  if (size != wanted.size() || std::memcmp(scope, wanted.data(), size) != 0) return false;
  auto const& policy = host->client();
  if (policy.mode != x509::ClientAuthMode::require) return true;
  // A full handshake would look again, and so do we: it then says no with the right alert.
  if (chain == nullptr) return false;
  auto const verification = context.verifications().verify(*policy.trust, *chain, now);
  return x509::judge(policy, chain, verification.get(), now).ok();
}

SessionStore* ServerStream::Callbacks::store_of(SSL const* ssl) {
  return of(ssl).context_.options().sessions.get();
}

// TLS 1.2: at the end of a full handshake. TLS 1.3: when a ticket was made, resumed or not.
int ServerStream::Callbacks::on_new_session(SSL* ssl, SSL_SESSION* session) {
  if (!prepare(ssl, session)) return 0;
  auto const note = note_of(session);
  unsigned size = 0;
  auto const* const id = SSL_SESSION_get_id(session, &size);
  return store_of(ssl)->insert({id, size}, session, charge_of(*note), note->expires) ? 1 : 0;
}

SSL_SESSION* ServerStream::Callbacks::on_find_session(SSL* ssl, unsigned char const* id, int size,
                                                      int* copy) {
  *copy = 0;  // find() has counted our reference already
  auto& stream = of(ssl);
  if (size <= 0) return nullptr;
  SessionOwner session(
      store_of(ssl)->find({id, static_cast<std::size_t>(size)}, stream.context_.now()));
  if (!session) return nullptr;
  auto const note = note_of(session.get());
  if (!note || !may_resume(stream, session.get(), note->chain.get(), note->expires)) return nullptr;
  return session.release();
}

void ServerStream::Callbacks::on_remove_session(SSL_CTX* context, SSL_SESSION* session) {
  auto* const store = static_cast<SessionStore*>(SSL_CTX_get_app_data(context));
  unsigned size = 0;
  auto const* const id = SSL_SESSION_get_id(session, &size);
  if (store != nullptr && size > 0) store->erase({id, size});
}

// Before a ticket is written, stateful or not. Answering 0 would end the handshake.
int ServerStream::Callbacks::on_make_ticket(SSL* ssl, void*) {
  auto* const session = SSL_get_session(ssl);
  if (session == nullptr) return 1;
  bool const keep = prepare(ssl, session);
  if (!of(ssl).context_.options().ticket_keys) return 1;
  auto const note = note_of(session);
  auto const data = keep && note ? format_ticket_note(*note) : std::nullopt;
  // Without a note the ticket opens to nothing and the client makes a full handshake.
  return SSL_SESSION_set1_ticket_appdata(session, data ? data->data() : "",
                                         data ? data->size() : 0);
}

SSL_TICKET_RETURN ServerStream::Callbacks::on_open_ticket(SSL* ssl, SSL_SESSION* session,
                                                          unsigned char const*, std::size_t,
                                                          SSL_TICKET_STATUS status, void*) {
  if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
    return SSL_TICKET_RETURN_IGNORE;
  }
  auto& stream = of(ssl);
  void* data = nullptr;
  std::size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || data == nullptr) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  auto const sealed = parse_ticket_note({static_cast<std::uint8_t const*>(data), size});
  auto* const leaf = SSL_SESSION_get0_peer(session);
  if (!sealed || sealed->has_chain != (leaf != nullptr)) return SSL_TICKET_RETURN_IGNORE_RENEW;

  auto note = std::make_shared<SessionNote>();
  note->expires = sealed->expires;
  if (leaf != nullptr) {
    auto& chains = stream.context_.chains();
    std::vector<x509::Digest> fingerprints{
        with_der(leaf, [](Bytes der) { return x509::sha256(der); })};
    for (auto const& other : sealed->others) fingerprints.push_back(x509::sha256(as_bytes(other)));
    note->chain = chains.find(x509::ClientChain::digest_of(fingerprints));
    if (!note->chain) {
      auto facts = x509::Certificate::parse_openssl(leaf);
      if (!facts) return SSL_TICKET_RETURN_IGNORE_RENEW;
      std::vector<x509::Certificate::Pointer> others;
      for (auto const& other : sealed->others) {
        auto parsed = x509::Certificate::parse_der(as_bytes(other));
        if (!parsed) return SSL_TICKET_RETURN_IGNORE_RENEW;
        others.push_back(std::move(parsed).value());
      }
      note->chain = x509::ClientChain::make(std::move(facts).value(), std::move(others));
      chains.insert(note->chain);
    }
  }
  if (!may_resume(stream, session, note->chain.get(), note->expires) ||
      !attach_note(session, note)) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  // RFC 8446 §C.4: clients use a ticket of TLS 1.3 once, so each resumption brings a new one.
  bool const renew = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) == TLS1_3_VERSION;
  return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

// RFC 5077 §4: AES-CBC and HMAC-SHA-256, with keys that rotate.
int ServerStream::Callbacks::on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv,
                                           EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
  auto& context = of(ssl).context_;
  auto& keys = *context.options().ticket_keys;
  TicketKey key;
  bool newest = true;
  if (sealing != 0) {
    auto made = keys.sealing_key(context.now());
    if (!made) return -1;
    key = *made;
    std::memcpy(name, key.name.data(), key.name.size());
    if (RAND_bytes(iv, 16) != 1) return -1;
  } else {
    auto found = keys.opening_key(std::span<std::uint8_t const, 16>(name, 16), context.now());
    if (!found) return 0;
    key = found->key;
    newest = found->newest;
  }
  char digest[] = "SHA256";
  OSSL_PARAM const parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac_key.data(),
                                        key.mac_key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  bool const ready =
      EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher_key.data(), iv, sealing) ==
          1 &&
      EVP_MAC_CTX_set_params(mac, parameters) == 1;
  OPENSSL_cleanse(&key, sizeof(key));
  if (!ready) return -1;
  return newest ? 1 : 2;  // 2: the ticket is good and ought to be renewed
}

}  // namespace certgate::tls
