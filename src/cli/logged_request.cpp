// Understands the records that telemetry/access_record.hpp writes.
#include "logged_request.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "certgate/telemetry/access_record.hpp"

namespace certgate::cli {
namespace {

using nlohmann::json;
using policy::Field;

std::string text_of(json const& record, char const* name) {
  auto const at = record.find(name);
  return at != record.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

// The log writes a byte that is not UTF-8 as U+0080 to U+00FF, and cuts long texts.
bool is_faithful(std::string_view text) {
  if (text.size() >= telemetry::max_logged_text && text.ends_with("...")) return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    auto const byte = static_cast<unsigned char>(c);
    return byte == 0xC2 || byte == 0xC3;  // the lead bytes of U+0080 to U+00FF
  });
}

void set(policy::LoggedRequest& request, Field field, std::string_view text) {
  // A value that is not of the field's type is left unknown.
  if (is_faithful(text)) static_cast<void>(request.set(field, text));
}

// "2026-03-21T13:35:00.250Z": the second part of it may be missing.
void set_time(policy::LoggedRequest& request, std::string const& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, msec = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &year, &month, &day, &hour, &minute,
                  &second, &msec) < 6) {
    return;
  }
  using namespace std::chrono;
  auto const date = std::chrono::year{year} / month / day;
  if (!date.ok()) return;
  auto const days = sys_days{date}.time_since_epoch().count();
  auto const seconds = ((days * 24LL + hour) * 60 + minute) * 60 + second;
  set(request, Field::timestamp_sec, std::to_string(seconds));
  set(request, Field::timestamp_msec, std::to_string(msec));
}

void set_certificate(policy::LoggedRequest& request, json const& record) {
  auto const verdict = text_of(record, "cert_verdict");
  if (verdict == "not_asked" || verdict == "none") {
    request.set_verdict(false, false, false);
    return;
  }
  if (verdict.empty()) return;
  request.set_flag(Field::cert_presented, true);
  if (verdict == "verified" || verdict == "revoked") {
    request.set_verdict(true, true, verdict == "revoked");
  } else {
    request.set_flag(Field::cert_verified, false);
    // Named by a list that has expired, it counts as both unverified and revoked.
    if (verdict != "crl_unusable") request.set_flag(Field::cert_revoked, false);
  }
  set(request, Field::cert_subject_dn, text_of(record, "cert_subject"));
  set(request, Field::cert_issuer_dn, text_of(record, "cert_issuer"));
  set(request, Field::cert_serial, text_of(record, "cert_serial"));
  set(request, Field::cert_fingerprint_sha256, text_of(record, "cert_fingerprint"));
}

}  // namespace

std::optional<LoggedDecision> parse_log_line(std::string_view line,
                                             policy::LoggedRequest& request) {
  auto const record = json::parse(line, nullptr, false);
  if (!record.is_object() || text_of(record, "event") != "request") return std::nullopt;
  auto const action = text_of(record, "action");
  if (action != "allowed" && action != "blocked") return std::nullopt;

  LoggedDecision logged;
  logged.action = action == "allowed" ? policy::Action::allow : policy::Action::block;
  logged.rule = text_of(record, "rule");
  logged.request_id = text_of(record, "request_id");
  auto const host = text_of(record, "host");
  auto const path = text_of(record, "path");
  auto const query = text_of(record, "query");
  logged.summary = text_of(record, "method") + " " + host + path;

  if (!host.empty()) set(request, Field::host, host);
  if (!path.empty() && is_faithful(path) && is_faithful(query)) {
    request.set_path_and_query(path, query);
  }
  set(request, Field::method, text_of(record, "method"));
  set(request, Field::version, text_of(record, "protocol"));
  set(request, Field::ip_src, text_of(record, "client"));
  set(request, Field::ray_id, logged.request_id);
  set(request, Field::user_agent, text_of(record, "user_agent"));
  if (record.contains("tls_version")) {
    set(request, Field::tls_version, text_of(record, "tls_version"));
    set(request, Field::tls_cipher, text_of(record, "tls_cipher"));
  }
  set_time(request, text_of(record, "time"));
  set_certificate(request, record);
  return logged;
}

}  // namespace certgate::cli
