// Requests and client policies for the tests of this layer.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "certgate/policy/decide.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/policy/sample_request.hpp"
#include "support/zoo.hpp"

namespace certgate::policy {

inline constexpr UnixSeconds fixture_now = 1'790'000'000;

inline std::unique_ptr<SampleRequest> make_request(SampleText text,
                                                   x509::ClientPolicy const* client = nullptr,
                                                   UnixSeconds now = fixture_now) {
  auto sample = SampleRequest::build(std::move(text), client, http::Normalisation::rfc3986, now);
  if (!sample) {
    ADD_FAILURE() << sample.error().detail;
    std::abort();
  }
  return std::move(*sample);
}

inline std::unique_ptr<SampleRequest> make_request(std::string url) {
  SampleText text;
  text.url = std::move(url);
  return make_request(std::move(text));
}

inline Policy make_policy(PolicyText text) {
  auto policy = Policy::build(std::move(text));
  if (!policy) {
    ADD_FAILURE() << render(policy.error());
    std::abort();
  }
  return std::move(*policy);
}

inline Policy make_policy(std::vector<RuleText> rules, Action default_action = Action::allow) {
  PolicyText text;
  text.live = {std::move(rules), default_action};
  return make_policy(std::move(text));
}

// The zoo of test certificates, made once.
inline testing::Zoo const& zoo() {
  static testing::Zoo const made = testing::build_zoo(fixture_now);
  return made;
}

inline x509::ClientPolicy zoo_policy(x509::ClientAuthMode mode = x509::ClientAuthMode::request) {
  std::vector<x509::Certificate::Pointer> anchors;
  for (auto const& anchor : zoo().anchors) anchors.push_back(anchor.facts);
  std::vector<x509::LabelledCrl> lists;
  for (auto const& crl : zoo().crls) lists.push_back({testing::read_crl(crl), "test.crl"});
  x509::ClientPolicy policy;
  policy.mode = mode;
  policy.trust = x509::Trust::build(anchors).value();
  auto revocations = x509::RevocationIndex::build(lists, anchors);
  if (!revocations) {
    ADD_FAILURE() << revocations.error().detail;
    std::abort();
  }
  policy.revocations = *revocations;
  return policy;
}

// Null when the product refuses to read one of the certificates: such a handshake never succeeds.
inline x509::ClientChain::Pointer chain_of(testing::ZooAnimal const& animal) {
  if (!animal.leaf.facts) return nullptr;
  std::vector<x509::Certificate::Pointer> others;
  for (auto const& other : animal.others) {
    if (!other.facts) return nullptr;
    others.push_back(other.facts);
  }
  return x509::ClientChain::make(animal.leaf.facts, std::move(others));
}

inline std::unique_ptr<SampleRequest> make_client_request(std::string url,
                                                          x509::ClientChain::Pointer chain,
                                                          x509::ClientPolicy const* client) {
  SampleText text;
  text.url = std::move(url);
  text.certificate = std::move(chain);
  return make_request(std::move(text), client);
}

}  // namespace certgate::policy
