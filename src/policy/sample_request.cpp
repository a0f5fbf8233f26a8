// Makes Facts for a request that somebody only described.
#include "certgate/policy/sample_request.hpp"

#include <algorithm>
#include <charconv>

namespace certgate::policy {
namespace {

struct Url {
  std::string_view authority;
  std::string_view target;  // may be empty
};

Result<Url> split_url(std::string_view url) {
  constexpr std::string_view scheme = "https://";
  if (!url.starts_with(scheme)) {
    return fail(ErrorCode::invalid, "`" + std::string{url} + "` does not begin with https://");
  }
  url.remove_prefix(scheme.size());
  // RFC 3986 §3.5: a fragment is for the client alone and is never sent.
  url = url.substr(0, url.find('#'));
  auto const end = std::min(url.find_first_of("/?"), url.size());
  if (end == 0) return fail(ErrorCode::invalid, "the URL names no host");
  return Url{url.substr(0, end), url.substr(end)};
}

std::optional<rules::FieldId> find_valued_field(std::string_view name) {
  auto const rows = field_table().first(valued_field_count());
  auto const at = std::find_if(rows.begin(), rows.end(),
                               [name](FieldRow const& row) { return row.name == name; });
  if (at == rows.end()) return std::nullopt;
  return static_cast<rules::FieldId>(at - rows.begin());
}

}  // namespace

Result<std::string> parse_sample_host(std::string_view url) {
  CERTGATE_TRY(auto const parts, split_url(url));
  HostBuffer buffer;
  auto const authority = parse_authority(parts.authority, buffer);
  if (!authority) {
    return fail(ErrorCode::invalid, "`" + std::string{parts.authority} + "` is not a host");
  }
  return std::string{authority->host};
}

Result<rules::ValueView> parse_field_value(rules::FieldId field, std::string_view text) {
  auto const& row = field_table()[field];
  auto const wrong = [&row, text](std::string_view wanted) {
    return fail(ErrorCode::invalid, "`" + std::string{row.name} + "` wants " + std::string{wanted} +
                                        ", not `" + std::string{text} + "`");
  };
  switch (row.type.kind()) {
    case rules::Kind::bytes:
      return rules::ValueView::bytes(text);
    case rules::Kind::boolean:
      if (text == "true") return rules::ValueView::boolean(true);
      if (text == "false") return rules::ValueView::boolean(false);
      return wrong("true or false");
    case rules::Kind::integer: {
      std::int64_t number = 0;
      auto const end = text.data() + text.size();
      auto const parsed = std::from_chars(text.data(), end, number);
      if (parsed.ec != std::errc{} || parsed.ptr != end) return wrong("a number");
      return rules::ValueView::integer(number);
    }
    case rules::Kind::ip: {
      auto const address = IpAddress::parse(text);
      if (!address) return wrong("an IP address");
      return rules::ValueView::ip(*address);
    }
    default:
      return fail(ErrorCode::invalid, "`" + std::string{row.name} +
                                          "` is a list and cannot be set by hand; give the URL, "
                                          "the headers or the body that it is made from");
  }
}

Result<void> SampleRequest::set_fields_by_hand() {
  for (auto const& [name, value] : text_.fields) {
    auto const id = find_valued_field(name);
    if (!id) {
      auto const scheme = make_scheme();
      auto const near = scheme.nearest_field(name);
      return fail(ErrorCode::not_found,
                  "there is no field `" + name + "`" +
                      (near.empty() ? "" : "; did you mean `" + std::string{near} + "`?"));
    }
    CERTGATE_TRY(auto const parsed, parse_field_value(*id, value));
    overrides_.push_back({*id, parsed});
  }
  return {};
}

Result<std::unique_ptr<SampleRequest>> SampleRequest::build(SampleText text,
                                                            x509::ClientPolicy const* client,
                                                            http::Normalisation normalisation,
                                                            UnixSeconds now) {
  CERTGATE_TRY(auto const url, split_url(text.url));
  std::unique_ptr<SampleRequest> sample{new SampleRequest};
  auto& self = *sample;
  self.authority_ = url.authority;
  self.target_text_ = url.target;
  if (!self.target_text_.starts_with('/')) self.target_text_.insert(0, "/");
  self.text_ = std::move(text);
  auto& written = self.text_;

  bool const names_host =
      std::any_of(written.headers.begin(), written.headers.end(),
                  [](auto const& header) { return ascii_iequal(header.first, "host"); });
  if (!names_host) self.fields_.push_back({"Host", self.authority_, http::FieldName::host});
  for (auto const& [name, value] : written.headers) {
    // Names with `_` are dropped when a request is read (http/message.hpp).
    if (name.find('_') != std::string::npos) continue;
    self.fields_.push_back({name, http::trim(value), http::field_name(name)});
  }
  bool const is_framed = http::find(self.fields_, http::FieldName::content_length) != nullptr ||
                         http::find(self.fields_, http::FieldName::transfer_encoding) != nullptr;
  if (written.body && !is_framed) {
    self.body_length_ = std::to_string(written.body->size());
    self.fields_.push_back({"Content-Length", self.body_length_, http::FieldName::content_length});
  }
  self.head_ = {written.method, self.target_text_, http::Version::http_1_1, self.fields_, 0};

  self.target_scratch_.resize(http::target_scratch_bytes(self.target_text_.size()));
  self.admission_.target = self.target_scratch_;
  auto admitted = http::admit_request(self.head_, normalisation, self.admission_);
  if (!admitted) {
    self.refusal_ = admitted.error();
    return sample;
  }
  self.target_ = admitted->target;

  auto const* chain = written.certificate.get();
  bool const asked = client != nullptr && client->mode != x509::ClientAuthMode::off;
  if (!asked) chain = nullptr;
  if (asked) {
    if (chain != nullptr) self.verification_ = client->trust->verify(*chain, now);
    self.verdict_ = x509::judge(*client, chain, chain ? &self.verification_ : nullptr, now);
    self.handshake_refused_ = client->mode == x509::ClientAuthMode::require && !self.verdict_.ok();
  }

  auto& facts = self.facts_;
  facts.client_ip = written.source_ip.value_or(IpAddress::v4({192, 0, 2, 1}));
  facts.local_ip = IpAddress::v4({127, 0, 0, 1});
  facts.local_port = admitted->authority.port == 0 ? 443 : admitted->authority.port;
  facts.tls_version = "TLSv1.3";
  facts.tls_cipher = "TLS_AES_256_GCM_SHA384";
  facts.chain = chain;
  facts.verification = chain ? &self.verification_ : nullptr;
  facts.verdict = &self.verdict_;
  facts.head = &self.head_;
  facts.target = &self.target_;
  facts.host = admitted->authority.host;
  if (written.body) {
    auto const content = std::string_view{*written.body}.substr(0, written.judged_body_bytes);
    self.body_ = {content, written.body->size(), content.size() < written.body->size()};
    // Of a chunked body that is longer than what is read nobody knows how long it is.
    if (self.body_.truncated &&
        http::find(self.fields_, http::FieldName::transfer_encoding) != nullptr) {
      self.body_.size.reset();
    }
    facts.body = &self.body_;
  }
  facts.request_id = "00000000000000000000000000000000";
  facts.random_seed = "sample request";
  facts.time_msec = now * 1000;
  if (auto set = self.set_fields_by_hand(); !set) return fail(std::move(set).error());
  facts.overrides = self.overrides_;
  return sample;
}

}  // namespace certgate::policy
