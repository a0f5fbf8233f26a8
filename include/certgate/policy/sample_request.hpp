// A request that was never sent: for `explain` and for tests of a rule set.
//
// Goes the way of a real one: the target and Host pass the same checks, the certificate the same
// verification, and what comes out are Facts. Owns everything its Facts point at.
//
// Errors: build() fails on what the writer of the sample did wrong (no https:// URL, unknown field,
//         value of another type). A request that a run would refuse before any rule is no error:
//         refusal() and handshake_refusal() say so.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/http/admission.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::policy {

struct SampleText {
  std::string method = "GET";
  std::string url;  // https://host[:port]/path?query
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> body;         // nothing: the request has none
  std::size_t judged_body_bytes = 131072;  // how much of it the rules see
  std::optional<IpAddress> source_ip;      // default: 192.0.2.1
  x509::ClientChain::Pointer certificate;  // null: none presented
  // Fields set by hand, after everything else: name and value as text.
  std::vector<std::pair<std::string, std::string>> fields;
};

// The host and port of the URL, so that the caller can look up the host's ClientPolicy; canonical.
Result<std::string> parse_sample_host(std::string_view url);

class SampleRequest {
 public:
  // `client`: how the host asks for certificates; null: not at all.
  static Result<std::unique_ptr<SampleRequest>> build(SampleText text,
                                                      x509::ClientPolicy const* client,
                                                      http::Normalisation normalisation,
                                                      UnixSeconds now);

  // REQUIRES: !refusal().
  Facts const& facts() const { return facts_; }
  x509::Verdict const& verdict() const { return verdict_; }
  SampleText const& text() const { return text_; }
  // What would be answered before any rule is asked: malformed, ambiguous.
  std::optional<http::Refusal> const& refusal() const { return refusal_; }
  // Mode `require` and a client without a valid, unrevoked certificate: the handshake fails.
  bool handshake_refused() const { return handshake_refused_; }

  SampleRequest(SampleRequest const&) = delete;
  SampleRequest& operator=(SampleRequest const&) = delete;

 private:
  SampleRequest() = default;
  Result<void> set_fields_by_hand();

  SampleText text_;
  std::string authority_;
  std::string target_text_;
  std::string body_length_;
  std::vector<http::Field> fields_;
  http::RequestHead head_;
  std::vector<char> target_scratch_;
  http::AdmissionScratch admission_;
  http::Target target_;
  x509::Verification verification_;
  x509::Verdict verdict_;
  std::vector<FieldOverride> overrides_;
  BodyFacts body_;
  Facts facts_;
  std::optional<http::Refusal> refusal_;
  bool handshake_refused_ = false;
};

// `text` as a value of that type: true/false, a number, an address, or the bytes themselves (which
// must outlive the value). Fails for containers.
Result<rules::ValueView> parse_field_value(rules::FieldId field, std::string_view text);

}  // namespace certgate::policy
