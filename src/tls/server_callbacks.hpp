// OpenSSL's way back into a handshake of ours: one context is made with all of these set.
#pragma once

#include <optional>
#include <string>

#include "certgate/tls/server_context.hpp"
#include "certgate/tls/server_stream.hpp"
#include "openssl.hpp"

namespace certgate::tls {

// What is only needed until the handshake is over; lives in the frame of its coroutine.
struct ServerStream::Handshake final : net::Deadline {
  Handshake(ServerStream& its_stream, Admission& admission);
  ~Handshake() override { stream.handshake_ = nullptr; }

  ServerStream& stream;
  Admission::Waiter waiter;
  std::int64_t began = 0;   // nanoseconds, when the first byte had arrived
  bool expired = false;
  bool saw_hello = false;
  bool may_compute = false;  // a turn was granted for the expensive part
  std::optional<HandshakeFault> fault;
  std::string detail;
  std::string_view verify_reason;
  int alert_sent = -1;
  int alert_received = -1;

  // The first reason is the cause; what follows from it is not.
  void blame(HandshakeFault what, std::string words);

 protected:
  void on_expired() override;
};

struct ServerStream::Callbacks {
  static Result<ContextOwner> make_context(OSSL_LIB_CTX* library, Profile const& profile,
                                           ServerOptions const& options);
  static void watch_hello(SSL_CTX* context, bool on);
  // Names the authorities to the clients of every connection that does not name others.
  static void announce(SSL_CTX* context, x509::Trust const& trust);

 private:
  static ServerStream& of(SSL const* ssl);
  static int on_client_hello(SSL* ssl, int* alert, void*);
  static int on_server_name(SSL* ssl, int* alert, void*);
  static int on_certificate(SSL* ssl, void*);
  static int on_verify(X509_STORE_CTX* store, void*);
  static int on_alpn(SSL* ssl, unsigned char const** out, unsigned char* out_size,
                     unsigned char const* in, unsigned in_size, void*);
  static void on_info(SSL const* ssl, int where, int value);
  static void on_message(int is_write, int version, int type, void const* data, std::size_t size,
                         SSL* ssl, void*);

  // Sessions.
  static SessionStore* store_of(SSL const* ssl);
  static bool prepare(SSL* ssl, SSL_SESSION* session);
  static bool may_resume(ServerStream& stream, SSL_SESSION const* session,
                         x509::ClientChain const* chain, UnixSeconds expires);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static SSL_SESSION* on_find_session(SSL* ssl, unsigned char const* id, int size, int* copy);
  static void on_remove_session(SSL_CTX* context, SSL_SESSION* session);
  static int on_make_ticket(SSL* ssl, void*);
  static SSL_TICKET_RETURN on_open_ticket(SSL* ssl, SSL_SESSION* session, unsigned char const*,
                                          std::size_t, SSL_TICKET_STATUS status, void*);
  static int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int sealing);

  static bool apply(ServerStream& stream, HostSettings::Pointer const& host);
  static x509::ClientChain::Pointer chain_of(ServerContext& context, X509* leaf,
                                             STACK_OF(X509) * presented);
};

}  // namespace certgate::tls
