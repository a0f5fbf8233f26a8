// Decides a handshake: which host, which certificate, whose client certificate is good enough.
#include "server_callbacks.hpp"

#include <algorithm>

#include "client_hello.hpp"
#include "session_note.hpp"
#include "transport.hpp"

namespace certgate::tls {
namespace {

// What an honest chain with large certificates needs; more is refused while it arrives.
constexpr long max_certificate_message_bytes = 64 * 1024;

constexpr int alert_decode_error = SSL_AD_DECODE_ERROR;

int protocol_of(Version version) {
  return version == Version::tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// Never null but for want of memory: a connection without a list of its own has that of its context.
NamesOwner authority_names(x509::Trust const& trust) {
  auto const& anchors = trust.anchors();
  NamesOwner names(sk_X509_NAME_new_null());
  if (anchors.size() > max_announced_authorities) return names;  // none
  for (auto const& anchor : anchors) {
    auto const der = anchor->subject_name_der();
    auto const* at = der.data();
    auto* const name = d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size()));
    if (!names || name == nullptr || sk_X509_NAME_push(names.get(), name) <= 0) {
      X509_NAME_free(name);
      names.reset(sk_X509_NAME_new_null());  // the client then chooses without a list
      return names;
    }
  }
  return names;
}

}  // namespace

Result<ContextOwner> ServerStream::Callbacks::make_context(OSSL_LIB_CTX* library,
                                                           Profile const& profile,
                                                           ServerOptions const& options) {
  ContextOwner context(SSL_CTX_new_ex(library, nullptr, TLS_server_method()));
  if (!context) return fail(openssl_error("cannot make a TLS context"));
  auto* const c = context.get();
  auto const& settings = profile.options();

  std::uint64_t flags = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                        SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                        SSL_OP_SINGLE_ECDH_USE | SSL_OP_IGNORE_UNEXPECTED_EOF;
#ifdef SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
  flags |= SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION;
#endif
  // The session's id is its ticket then, and no certificate is decoded to resume.
  if (!options.ticket_keys) flags |= SSL_OP_NO_TICKET;
  SSL_CTX_set_options(c, flags);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_max_early_data(c, 0);
  SSL_CTX_set_max_cert_list(c, max_certificate_message_bytes);

  bool const lists = SSL_CTX_set_cipher_list(c, profile.cipher_list().c_str()) == 1 &&
                     SSL_CTX_set_ciphersuites(c, profile.cipher_suites().c_str()) == 1 &&
                     (profile.group_list().empty() ||
                      SSL_CTX_set1_groups_list(c, profile.group_list().c_str()) == 1);
  if (!lists || SSL_CTX_set_min_proto_version(c, protocol_of(settings.min_version)) != 1 ||
      SSL_CTX_set_max_proto_version(c, protocol_of(settings.max_version)) != 1) {
    return fail(openssl_error("cannot apply the TLS settings"));
  }

  bool const resumes = options.sessions || options.ticket_keys;
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
                                        SSL_SESS_CACHE_NO_AUTO_CLEAR);
  SSL_CTX_set_num_tickets(c, resumes ? 1 : 0);
  SSL_CTX_set_app_data(c, options.ticket_keys ? nullptr : options.sessions.get());
  SSL_CTX_set_session_ticket_cb(c, on_make_ticket, on_open_ticket, nullptr);
  if (options.ticket_keys) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket_key);
  } else if (options.sessions) {
    SSL_CTX_sess_set_new_cb(c, on_new_session);
    SSL_CTX_sess_set_get_cb(c, on_find_session);
    SSL_CTX_sess_set_remove_cb(c, on_remove_session);
  }

  SSL_CTX_set_client_hello_cb(c, on_client_hello, nullptr);
  SSL_CTX_set_tlsext_servername_callback(c, on_server_name);
  SSL_CTX_set_cert_cb(c, on_certificate, nullptr);
  SSL_CTX_set_cert_verify_callback(c, on_verify, nullptr);
  SSL_CTX_set_alpn_select_cb(c, on_alpn, nullptr);
  SSL_CTX_set_info_callback(c, on_info);
  watch_hello(c, options.client_hello_facts);
  return context;
}

void ServerStream::Callbacks::watch_hello(SSL_CTX* context, bool on) {
  SSL_CTX_set_msg_callback(context, on ? on_message : nullptr);
}

void ServerStream::Callbacks::announce(SSL_CTX* context, x509::Trust const& trust) {
  SSL_CTX_set0_CA_list(context, authority_names(trust).release());
}

ServerStream& ServerStream::Callbacks::of(SSL const* ssl) {
  return static_cast<ServerStream&>(Transport::of(ssl));
}

// Called before anything of the ClientHello has had an effect, and again after a HelloRetryRequest.
int ServerStream::Callbacks::on_client_hello(SSL* ssl, int* alert, void*) {
  auto& stream = of(ssl);
  auto* const handshake = stream.handshake_;
  if (handshake == nullptr) {
    *alert = SSL_AD_UNEXPECTED_MESSAGE;
    return SSL_CLIENT_HELLO_ERROR;
  }
  bool const first = !handshake->saw_hello;
  handshake->saw_hello = true;

  std::string_view name;
  HostBuffer buffer;
  unsigned char const* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) == 1) {
    auto const sent = parse_server_name({data, size});
    auto const canonical = sent ? parse_host_name(*sent, buffer) : std::nullopt;
    if (!canonical) {
      *alert = sent ? SSL_AD_UNRECOGNIZED_NAME : alert_decode_error;
      handshake->blame(HandshakeFault::unknown_name, "the server_name is no host name");
      return SSL_CLIENT_HELLO_ERROR;
    }
    name = *canonical;
  }
  if (!first && name != stream.session_.server_name) {
    // RFC 8446 §4.1.2 lists what a second ClientHello may change; the name is not among it.
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    handshake->blame(HandshakeFault::protocol, "the second ClientHello asks for another name");
    return SSL_CLIENT_HELLO_ERROR;
  }
  stream.session_.server_name = name;

  auto const& hosts = stream.context_.hosts();
  auto const* const host = hosts ? hosts->find(name) : nullptr;
  if (host == nullptr) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    handshake->blame(HandshakeFault::unknown_name,
                     name.empty() ? "no server_name, and there is no host `*`"
                                  : "no host has the name asked for");
    return SSL_CLIENT_HELLO_ERROR;
  }
  if (!apply(stream, *host)) {
    *alert = SSL_AD_INTERNAL_ERROR;
    handshake->blame(HandshakeFault::internal, last_openssl_words());
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

bool ServerStream::Callbacks::apply(ServerStream& stream, HostSettings::Pointer const& host) {
  auto* const ssl = stream.ssl();
  stream.session_.host = host;
  auto const& profile = host->profile();
  auto* const context = stream.context_.context_of(profile);
  if (context == nullptr) return false;
  if (context != SSL_get_SSL_CTX(ssl)) {
    // Ciphers, certificates and callbacks follow the context; versions and groups were copied from
    // the first one when the connection was made.
    auto const& settings = profile.options();
    if (SSL_set_SSL_CTX(ssl, context) != context ||
        SSL_set_min_proto_version(ssl, protocol_of(settings.min_version)) != 1 ||
        SSL_set_max_proto_version(ssl, protocol_of(settings.max_version)) != 1) {
      return false;
    }
    auto const& groups = profile.group_list();
    if (!groups.empty() && SSL_set1_groups_list(ssl, groups.c_str()) != 1) return false;
  }
  auto const& scope = host->scope().bytes;
  if (SSL_set_session_id_context(ssl, scope.data(), static_cast<unsigned>(scope.size())) != 1) {
    return false;
  }
  int mode = SSL_VERIFY_NONE;
  if (host->client().mode == x509::ClientAuthMode::request) mode = SSL_VERIFY_PEER;
  if (host->client().mode == x509::ClientAuthMode::require) {
    mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_set_verify(ssl, mode, nullptr);
  if (profile.options().session_lifetime.count() <= 0) SSL_set_num_tickets(ssl, 0);
  return true;
}

// RFC 6066 §3: a server that used the name "SHALL include an extension of type "server_name" in the
// (extended) server hello".
int ServerStream::Callbacks::on_server_name(SSL* ssl, int*, void*) {
  return of(ssl).session_.server_name.empty() ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

// Called in full handshakes only, just before the expensive part.
int ServerStream::Callbacks::on_certificate(SSL* ssl, void*) {
  auto& stream = of(ssl);
  auto* const handshake = stream.handshake_;
  auto const& host = stream.session_.host;
  if (handshake == nullptr || !host) return 0;
  if (!handshake->may_compute && !stream.context_.admission().may_compute()) return -1;
  for (auto const& identity : host->identities()) {
    auto* const chain = identity->chain_handle();
    if (SSL_use_cert_and_key(ssl, identity->leaf_handle(), identity->key_handle(),
                             sk_X509_num(chain) > 0 ? chain : nullptr, 1) != 1) {
      handshake->blame(HandshakeFault::internal, last_openssl_words());
      return 0;
    }
  }
  auto const& client = host->client();
  if (client.mode != x509::ClientAuthMode::off &&
      !stream.context_.announces(host->profile(), client.trust->digest())) {
    SSL_set0_CA_list(ssl, authority_names(*client.trust).release());
  }
  return 1;
}

// The facts of what was presented, from the cache when these very certificates were seen before.
x509::ClientChain::Pointer ServerStream::Callbacks::chain_of(ServerContext& context, X509* leaf,
                                                             STACK_OF(X509) * presented) {
  std::vector<x509::Digest> fingerprints;
  int const count = std::max(sk_X509_num(presented), 1);
  fingerprints.reserve(static_cast<std::size_t>(count));
  auto const certificate = [&](int i) { return i == 0 ? leaf : sk_X509_value(presented, i); };
  for (int i = 0; i < count; ++i) {
    fingerprints.push_back(with_der(certificate(i), [](Bytes der) { return x509::sha256(der); }));
  }
  auto const digest = x509::ClientChain::digest_of(fingerprints);
  if (auto known = context.chains().find(digest)) return known;

  auto facts = x509::Certificate::parse_openssl(leaf);
  if (!facts) return nullptr;
  std::vector<x509::Certificate::Pointer> others;
  for (int i = 1; i < count; ++i) {
    auto other = context.chains().find_intermediate(fingerprints[static_cast<std::size_t>(i)]);
    if (!other) {
      auto parsed = x509::Certificate::parse_openssl(certificate(i));
      if (!parsed) return nullptr;
      other = std::move(parsed).value();
    }
    others.push_back(std::move(other));
  }
  auto chain = x509::ClientChain::make(std::move(facts).value(), std::move(others));
  context.chains().insert(chain);
  return chain;
}

// In place of OpenSSL's own verification, and never with it: 1 goes on, 0 ends the handshake with
// the alert that belongs to the error that was set.
int ServerStream::Callbacks::on_verify(X509_STORE_CTX* store, void*) {
  auto* const ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& stream = of(ssl);
  auto* const handshake = stream.handshake_;
  auto* const leaf = X509_STORE_CTX_get0_cert(store);
  auto* const presented = X509_STORE_CTX_get0_untrusted(store);
  auto const refuse = [&](HandshakeFault fault, int error, std::string words) {
    if (handshake != nullptr) handshake->blame(fault, std::move(words));
    X509_STORE_CTX_set_error(store, error);
    return 0;
  };
  auto const& host = stream.session_.host;
  if (handshake == nullptr || !host || leaf == nullptr || !host->client().trust) {
    return refuse(HandshakeFault::internal, X509_V_ERR_UNSPECIFIED, "no host to verify for");
  }
  auto& context = stream.context_;
  auto const& policy = host->client();
  auto const& limits = policy.trust->options();

  if (static_cast<std::size_t>(std::max(sk_X509_num(presented), 0)) > limits.max_presented) {
    stream.session_.chain = chain_of(context, leaf, nullptr);  // for the log
    return refuse(HandshakeFault::certificate_limits, X509_V_ERR_CERT_CHAIN_TOO_LONG,
                  "the client sent too many certificates");
  }
  auto const chain = chain_of(context, leaf, presented);
  if (!chain) {
    return refuse(HandshakeFault::certificate_limits, X509_V_ERR_CERT_REJECTED,
                  "the client's certificate cannot be read");
  }
  stream.session_.chain = chain;
  // Whoever holds such a key makes us compute for milliseconds with each handshake; say no before
  // its signature has to be checked.
  if (chain->leaf().key_bits() > limits.max_key_bits) {
    return refuse(HandshakeFault::certificate_limits, X509_V_ERR_CERT_REJECTED,
                  "the client's key is larger than allowed");
  }

  auto const now = context.now();
  auto& cache = context.verifications();
  auto verification = cache.find(chain->digest(), policy.trust->digest(), now);
  if (!verification) {
    verification = std::make_shared<x509::Verification const>(
        policy.trust->verify_openssl(*chain, leaf, presented, now));
    if (verification->verified) {
      cache.insert(chain->digest(), policy.trust->digest(), verification, now);
    }
  }
  stream.session_.verification = verification;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  if (policy.mode != x509::ClientAuthMode::require) return 1;

  auto const verdict = x509::judge(policy, chain.get(), verification.get(), now);
  handshake->verify_reason = verdict.reason;
  if (verdict.revoked) {
    return refuse(HandshakeFault::certificate_revoked, X509_V_ERR_CERT_REVOKED,
                  std::string(verdict.detail.empty() ? "certificate revoked" : verdict.detail));
  }
  if (!verdict.verified) {
    int const error = verification->error != 0 ? verification->error : X509_V_ERR_CERT_REJECTED;
    auto const words = verdict.reason.starts_with("FAILED:") ? verdict.reason.substr(7)
                                                             : verdict.reason;
    return refuse(HandshakeFault::certificate_rejected, error, std::string(words));
  }
  return 1;
}

int ServerStream::Callbacks::on_alpn(SSL* ssl, unsigned char const** out, unsigned char* out_size,
                                     unsigned char const* in, unsigned in_size, void*) {
  auto& stream = of(ssl);
  if (!stream.session_.host) return SSL_TLSEXT_ERR_NOACK;
  auto const& ours = stream.session_.host->profile().alpn_wire();
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<unsigned char const*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in,
                            in_size) != OPENSSL_NPN_NEGOTIATED) {
    // RFC 7301 §3.2: "In the event that the server supports no protocols that the client advertises,
    // then the server SHALL respond with a fatal "no_application_protocol" alert."
    if (stream.handshake_ != nullptr) {
      stream.handshake_->blame(HandshakeFault::no_protocol, "no application protocol in common");
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void ServerStream::Callbacks::on_info(SSL const* ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0) return;
  auto* const handshake = of(ssl).handshake_;
  int const alert = value & 0xff;
  if (handshake == nullptr || alert == SSL_AD_CLOSE_NOTIFY) return;
  ((where & SSL_CB_READ) != 0 ? handshake->alert_received : handshake->alert_sent) = alert;
}

void ServerStream::Callbacks::on_message(int is_write, int, int type, void const* data,
                                         std::size_t size, SSL* ssl, void*) {
  Bytes const message{static_cast<std::uint8_t const*>(data), size};
  if (is_write != 0 || type != SSL3_RT_HANDSHAKE || message.empty() ||
      message[0] != SSL3_MT_CLIENT_HELLO) {
    return;
  }
  SSL_set_msg_callback(ssl, nullptr);  // the first ClientHello is the one that counts
  of(ssl).session_.hello = read_client_hello(message);
}

}  // namespace certgate::tls
