// What is known of this connection and this request: everything a rule can see.
//
// Plain views and pointers that the caller owns and that outlive the decision; building one copies
// nothing. The verdict is that of the trust material in force for this request (x509::judge()), so
// the same values come out whether the handshake was full or resumed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "certgate/base/ip.hpp"
#include "certgate/http/message.hpp"
#include "certgate/http/target.hpp"
#include "certgate/policy/fields.hpp"
#include "certgate/rules/program.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/trust.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::policy {

// What the ClientHello of this connection looked like; empty or 0 where nobody recorded it.
struct ClientHelloFacts {
  std::int64_t length = 0;           // bytes
  std::string_view random;           // base64
  std::string_view extensions_sha1;  // base64, big-endian
  std::string_view extensions_sha1_little_endian;
  std::string_view ciphers_sha1;
};

// The beginning of the request's body as the rules see it: without transfer coding.
struct BodyFacts {
  std::string_view content;           // the first limits.judged_body_bytes of it
  std::optional<std::uint64_t> size;  // of the whole body; nothing: not known, for it is chunked
                                      // and longer than `content`
  bool truncated = false;             // there is more than `content`
};

// A value set by hand, for tests and for replaying a log. Types must be those of the field.
struct FieldOverride {
  rules::FieldId field = 0;
  rules::ValueView value;
};

struct Facts {
  // The connection.
  IpAddress client_ip;
  IpAddress local_ip;
  std::uint16_t local_port = 0;
  std::string_view tls_version;  // "TLSv1.3"
  std::string_view tls_cipher;   // OpenSSL's name
  ClientHelloFacts const* client_hello = nullptr;

  // The client. Null: nothing presented, or never asked for.
  x509::ClientChain const* chain = nullptr;
  x509::Verification const* verification = nullptr;  // of `chain`; null: not verified
  x509::Verdict const* verdict = nullptr;

  // The request. REQUIRED: head and target.
  http::RequestHead const* head = nullptr;
  http::Target const* target = nullptr;
  std::string_view host;            // canonical, Authority::host
  BodyFacts const* body = nullptr;  // null: the request has none
  std::string_view request_id;
  std::string_view random_seed;  // bytes nobody can guess, new for each request
  std::int64_t time_msec = 0;    // milliseconds since 1970

  std::span<FieldOverride const> overrides;  // empty outside tests and replay
};

// The fields that something needs, in the order in which they are filled.
class FillPlan {
 public:
  FillPlan() = default;
  explicit FillPlan(rules::FieldSet const& fields) : ids_(fields.ids()) {}
  std::span<rules::FieldId const> ids() const { return ids_; }

 private:
  std::vector<rules::FieldId> ids_;
};

// Working memory of one worker, reused by every decision. Never grows.
class Scratch {
 public:
  // Room for the longest header section and query that can be turned into maps, and for a body of
  // some ten thousand form fields or parts; pages that no request needs are never touched.
  static constexpr std::size_t default_fact_bytes = 2 * 1024 * 1024;
  // Room for some functions of functions of the longest body that rules can see, 1 MiB.
  static constexpr std::size_t default_evaluation_bytes = 6 * 1024 * 1024;
  explicit Scratch(std::size_t fact_bytes = default_fact_bytes,
                   std::size_t evaluation_bytes = default_evaluation_bytes);

  rules::Values values() const { return values_; }
  rules::Scratch& evaluation() { return evaluation_; }

 private:
  friend class Filler;
  rules::Scratch evaluation_;
  rules::Arena facts_;
  std::vector<rules::ValueView> values_;  // by FieldId
  std::string leaf_text_;                 // RFC 9440, reserved to its cap
  std::string chain_text_;
};

// Puts the value of every field of the plan into scratch.values(), where it stays valid until the
// next fill as long as the facts do. Allocates nothing. False when the scratch is too small for
// this request, or something about its body is not known that the plan reads: it must be refused.
[[nodiscard]] bool fill_values(Facts const& facts, FillPlan const& plan, Scratch& scratch) noexcept;

}  // namespace certgate::policy
