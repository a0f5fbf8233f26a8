#include "certgate/tls/connector.hpp"

#include <deque>
#include <mutex>

#include "certgate/base/ip.hpp"
#include "openssl.hpp"
#include "transport.hpp"

namespace certgate::tls {
namespace {

// Up to this many names of a certificate are quoted when none of them is the right one.
constexpr std::size_t max_quoted_names = 5;

class Context final : public ClientContext {
 public:
  explicit Context(ClientOptions options) : options_(std::move(options)) {}

  ClientOptions const& options() const override { return options_; }
  SSL_CTX* handle() const { return context_.get(); }

  static Context const& of(ClientContext const& context) {
    return static_cast<Context const&>(context);
  }

  void keep(SessionOwner session) const {
    std::lock_guard const lock(mutex_);
    sessions_.push_back(std::move(session));
    if (sessions_.size() > options_.sessions) sessions_.pop_front();
  }

  // RFC 8446 §C.4: "Clients SHOULD NOT reuse a ticket for multiple connections."
  SessionOwner take() const {
    std::lock_guard const lock(mutex_);
    while (!sessions_.empty()) {
      auto session = std::move(sessions_.back());
      sessions_.pop_back();
      if (SSL_SESSION_is_resumable(session.get()) == 1) return session;
    }
    return nullptr;
  }

  Result<void> prepare();

 private:
  Result<void> trust(SSL_CTX* context);

  ClientOptions options_;
  ContextOwner context_;
  mutable std::mutex mutex_;
  mutable std::deque<SessionOwner> sessions_;
};

std::string names_of(x509::Certificate const& certificate) {
  std::string out;
  for (std::size_t i = 0; i < certificate.alt_name_count(); ++i) {
    if (i == max_quoted_names) return out + ", ...";
    if (!out.empty()) out += ", ";
    out += certificate.alt_name(i).value;
  }
  return out.empty() ? "no name at all" : out;
}

}  // namespace

struct ClientStream::Callbacks {
  static ClientStream& of(SSL const* ssl) { return static_cast<ClientStream&>(Transport::of(ssl)); }

  // Notes what OpenSSL found wrong with the server's certificate; never changes its mind.
  static int on_verified(int ok, X509_STORE_CTX* store) {
    if (ok == 1) return 1;
    auto const* const ssl = static_cast<SSL const*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& stream = of(ssl);
    int const error = X509_STORE_CTX_get_error(store);
    std::string words = X509_verify_cert_error_string(error);
    auto* const certificate = X509_STORE_CTX_get_current_cert(store);
    auto const facts = certificate != nullptr ? x509::Certificate::parse_openssl(certificate)
                                              : fail(ErrorCode::invalid, "");
    auto const& name = stream.context_->options().server_name;
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      words = "it is not for `" + name + "` but for " + (facts ? names_of(**facts) : "others");
    } else if (facts) {
      words += " (`" + std::string((*facts)->subject_dn()) + "`)";
    }
    stream.set_error("the certificate of `" + name + "` is not accepted: " + words);
    return 0;
  }

  static int on_new_session(SSL* ssl, SSL_SESSION* session) {
    Context::of(*of(ssl).context_).keep(SessionOwner(session));
    return 1;  // the reference is ours now
  }
};

Result<void> Context::trust(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, ClientStream::Callbacks::on_verified);
  auto* const rules = SSL_CTX_get0_param(context);
  // RFC 9525 §2: the common name is no host name; §6.3: `*` stands for a whole label.
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  auto const& name = options_.server_name;
  bool const named = IpAddress::parse(name)
                         ? X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1
                         : X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1;
  if (!named) return fail(openssl_error("cannot verify the name `" + name + "`"));
  if (options_.authorities.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return fail(openssl_error("cannot use the system's trust store"));
  }
  // What the operator names is trusted as it is, be it a root, an intermediate or the very
  // certificate that the server shows.
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  auto* const store = SSL_CTX_get_cert_store(context);
  for (auto const& authority : options_.authorities) {
    auto const der = authority->der();
    auto const* at = der.data();
    CertificateOwner const decoded(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (!decoded || X509_STORE_add_cert(store, decoded.get()) != 1) {
      return fail(openssl_error("cannot trust `" + std::string(authority->subject_dn()) + "`"));
    }
  }
  return {};
}

Result<void> Context::prepare() {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return fail(openssl_error("cannot make a TLS context"));
  auto* const c = context_.get();
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (options_.sessions > 0) {
    SSL_CTX_sess_set_new_cb(c, ClientStream::Callbacks::on_new_session);
  }
  if (options_.verify == VerifyPeer::yes) {
    if (options_.server_name.empty()) {
      return fail(ErrorCode::invalid, "there is no name to verify the upstream's certificate with");
    }
    if (auto trusted = trust(c); !trusted) return trusted;
  } else {
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
  }
  if (auto const& identity = options_.identity) {
    auto* const chain = identity->chain_handle();
    if (SSL_CTX_use_cert_and_key(c, identity->leaf_handle(), identity->key_handle(),
                                 sk_X509_num(chain) > 0 ? chain : nullptr, 1) != 1) {
      return fail(openssl_error("cannot use the client certificate"));
    }
  }
  std::string wire;
  for (auto const& protocol : options_.alpn) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  // Answers 0 for success, unlike everything around it.
  if (!wire.empty() &&
      SSL_CTX_set_alpn_protos(c, reinterpret_cast<unsigned char const*>(wire.data()),
                              static_cast<unsigned>(wire.size())) != 0) {
    return fail(openssl_error("cannot offer the application protocols"));
  }
  return {};
}

Result<ClientContext::Pointer> ClientContext::build(ClientOptions options) {
  auto const context = std::make_shared<Context>(std::move(options));
  if (auto prepared = context->prepare(); !prepared) return fail(std::move(prepared).error());
  return Pointer(context);
}

ClientStream::ClientStream(net::Loop& loop, ClientContext::Pointer context)
    : TlsStream(loop, OnTruncation::is_failure), context_(std::move(context)) {}

ClientStream::~ClientStream() = default;

net::Task<Result<void>> ClientStream::handshake() {
  auto const& context = Context::of(*context_);
  bool const attached = ssl() == nullptr && attach(SSL_new(context.handle()));
  if (!attached) co_return fail(openssl_error("cannot begin a TLS connection"));
  SSL_set_connect_state(ssl());
  auto const& name = context_->options().server_name;
  // RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
  if (!name.empty() && !IpAddress::parse(name)) SSL_set_tlsext_host_name(ssl(), name.c_str());
  if (auto const session = context.take()) SSL_set_session(ssl(), session.get());

  for (;;) {
    ERR_clear_error();
    int const result = SSL_do_handshake(ssl());
    auto status = result == 1 ? net::IoStatus::done : status_of(result);
    auto sent = send_output();
    bool const going =
        status == net::IoStatus::done || status == net::IoStatus::want_read ||
        status == net::IoStatus::want_write;
    if (!going || sent == net::IoStatus::failed) co_return fail(failure());
    while (sent == net::IoStatus::want_write) {
      auto const ready = co_await socket().writable();
      sent = ready == net::Ready::ready ? flush() : net::IoStatus::failed;
      if (ready == net::Ready::cancelled) {
        co_return fail(ErrorCode::timed_out, "the TLS handshake took too long");
      }
    }
    if (sent == net::IoStatus::failed) co_return fail(failure());
    if (status == net::IoStatus::done) break;
    auto const ready = co_await socket().readable();
    if (ready == net::Ready::cancelled) {
      co_return fail(ErrorCode::timed_out, "the TLS handshake took too long");
    }
  }
  co_return Result<void>{};
}

Error ClientStream::failure() {
  if (saw_end()) {
    return Error{ErrorCode::closed, "the upstream closed the connection during the TLS handshake"};
  }
  auto const words = error();
  return Error{ErrorCode::crypto,
               words.empty() ? "the TLS handshake failed" : "TLS: " + std::string(words)};
}

bool ClientStream::resumed() const { return ssl() != nullptr && SSL_session_reused(ssl()) == 1; }

bool ClientStream::refused_certificate() const {
  return context_->options().verify == VerifyPeer::yes && ssl() != nullptr &&
         SSL_get_verify_result(ssl()) != X509_V_OK;
}

std::string_view ClientStream::version() const {
  return ssl() != nullptr ? SSL_get_version(ssl()) : "";
}

x509::Certificate::Pointer ClientStream::peer_certificate() const {
  auto* const shown = ssl() != nullptr ? SSL_get0_peer_certificate(ssl()) : nullptr;
  if (shown == nullptr) return nullptr;
  auto facts = x509::Certificate::parse_openssl(shown);
  return facts ? std::move(*facts) : nullptr;
}

std::string_view ClientStream::protocol() const {
  unsigned char const* protocol = nullptr;
  unsigned size = 0;
  if (ssl() != nullptr) SSL_get0_alpn_selected(ssl(), &protocol, &size);
  return {reinterpret_cast<char const*>(protocol), size};
}

}  // namespace certgate::tls
