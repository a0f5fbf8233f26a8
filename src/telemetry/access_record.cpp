// Formats access records by hand: this runs once per request on the worker's own time.
#include "certgate/telemetry/access_record.hpp"

#include <algorithm>
#include <array>

#include "line_writer.hpp"
#include "ready_members.hpp"
#include "record_format.hpp"

namespace certgate::telemetry {
namespace {

using std::chrono::microseconds;

// The names, quotes, colons and commas of every field together; test: a full record's skeleton.
constexpr std::size_t skeleton_size = 1024;

std::size_t worst_case_size(CertificateRecord const& certificate) {
  return LineWriter::worst_case_text(certificate.reason) +
         LineWriter::worst_case_text(certificate.subject) +
         LineWriter::worst_case_text(certificate.issuer) +
         LineWriter::worst_case_text(certificate.serial) +
         LineWriter::worst_case_text(certificate.fingerprint);
}

// Sixteen rules are enough to see what happened; their names are the operator's own words.
constexpr std::size_t max_logged_rules = 16;
std::span<std::string_view const> logged(std::span<std::string_view const> rules) {
  return rules.first(rules.size() < max_logged_rules ? rules.size() : max_logged_rules);
}

// A member's name with what stands around it, put together by the compiler: `,"name":`. The comma
// ends the member before, so that absent members need no thought.
template <std::size_t size>
struct Member {
  char text[size + 4];
  consteval Member(char const (&name)[size]) : text{} {
    text[0] = ',';
    text[1] = '"';
    std::copy_n(name, size - 1, text + 2);
    text[size + 1] = '"';
    text[size + 2] = ':';
  }
};

template <Member name>
void json_text(LineWriter& out, std::string_view value) {
  if (value.empty()) return;
  out.literal(name.text);
  out.character('"');
  out.escaped(value);
  out.character('"');
}

// One of our own words.
template <Member name>
void json_word(LineWriter& out, std::string_view word) {
  out.literal(name.text);
  out.character('"');
  out.plain(word);
  out.character('"');
}

template <Member name>
void json_number(LineWriter& out, std::uint64_t value) {
  out.literal(name.text);
  out.number(value);
}

template <Member name>
void json_time(LineWriter& out, microseconds value) {
  if (value.count() >= 0) json_number<name>(out, static_cast<std::uint64_t>(value.count()));
}

template <Member name>
void json_truth(LineWriter& out, bool value) {
  out.literal(name.text);
  if (value) {
    out.literal("true");
  } else {
    out.literal("false");
  }
}

void json_begin(LineWriter& out, std::chrono::system_clock::time_point time) {
  out.literal("{\"time\":\"");
  out.time(time);
  out.character('"');
}

template <class Record>
void json_client(LineWriter& out, Record const& record) {
  json_text<"client">(out, record.client_address);
  if (record.client_port != 0) {
    json_number<"client_port">(out, record.client_port);
  }
  json_text<"listener">(out, record.listener);
  json_text<"sni">(out, record.sni);
}

void json_tls(LineWriter& out, AccessRecord const& record) {
  if (record.tls_version.empty()) return;
  json_text<"tls_version">(out, record.tls_version);
  json_text<"tls_cipher">(out, record.tls_cipher);
  json_truth<"tls_resumed">(out, record.tls_resumed);
}

void json_verdict(LineWriter& out, CertificateRecord const& certificate) {
  json_word<"cert_verdict">(out, name_of(certificate.verdict));
  if (!certificate.presented) return;
  json_text<"cert_reason">(out, certificate.reason);
}

void json_certificate_facts(LineWriter& out, CertificateRecord const& certificate) {
  if (!certificate.presented) return;
  json_text<"cert_subject">(out, certificate.subject);
  json_text<"cert_issuer">(out, certificate.issuer);
  json_text<"cert_serial">(out, certificate.serial);
  json_text<"cert_fingerprint">(out, certificate.fingerprint);
}

void json_rules(LineWriter& out, std::span<std::string_view const> rules) {
  if (rules.empty()) return;
  out.literal(Member{"log_rules"}.text);
  char before = '[';
  for (std::string_view const rule : logged(rules)) {
    out.character(before);
    out.character('"');
    out.escaped(rule);
    out.character('"');
    before = ',';
  }
  out.character(']');
}

// " name=" and the value, quoted and escaped as in JSON when it is not one plain word.
constexpr std::array<bool, 256> make_word_bytes() {
  std::array<bool, 256> table{};
  for (std::size_t byte = '!'; byte < 0x7F; ++byte) {
    table[byte] = byte != '"' && byte != '\\' && byte != '=';
  }
  return table;
}
constexpr auto word_bytes = make_word_bytes();

bool is_word(std::string_view text) {
  if (text.empty() || text.size() > max_logged_text) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return word_bytes[static_cast<unsigned char>(c)]; });
}

void text_value(LineWriter& out, std::string_view value) {
  if (value.empty()) {
    out.character('-');
  } else if (is_word(value)) {
    out.plain(value);
  } else {
    out.character('"');
    out.escaped(value);
    out.character('"');
  }
}

template <std::size_t size>
void text_pair(LineWriter& out, char const (&name)[size], std::string_view value) {
  if (value.empty()) return;
  out.literal(name);
  text_value(out, value);
}

template <std::size_t size>
void text_time(LineWriter& out, char const (&name)[size], microseconds value) {
  if (value.count() < 0) return;
  out.literal(name);
  out.number(static_cast<std::uint64_t>(value.count()));
  out.literal("us");
}

// "[v6]:port" and "v4:port"; a dash when nothing is known.
void text_client(LineWriter& out, std::string_view address, std::uint16_t port) {
  bool const bracketed = address.find(':') != std::string_view::npos;
  if (bracketed) out.character('[');
  text_value(out, address);
  if (bracketed) out.character(']');
  if (port != 0) {
    out.character(':');
    out.number(port);
  }
}

void text_certificate(LineWriter& out, CertificateRecord const& certificate) {
  out.literal(" cert=");
  out.plain(name_of(certificate.verdict));
  if (!certificate.presented) return;
  text_pair(out, " cert_reason=", certificate.reason);
  text_pair(out, " subject=", certificate.subject);
  text_pair(out, " issuer=", certificate.issuer);
  text_pair(out, " serial=", certificate.serial);
  text_pair(out, " fingerprint=", certificate.fingerprint);
}

template <class Record>
void append_with(char* (*write)(Record const&, char*), Record const& record, std::string& out) {
  std::size_t const before = out.size();
  out.resize(before + worst_case_size(record));
  char* const end = write(record, out.data() + before);
  out.resize(static_cast<std::size_t>(end - out.data()));
}

}  // namespace

std::string_view name_of(CertificateVerdict verdict) {
  switch (verdict) {
    case CertificateVerdict::not_asked:
      return "not_asked";
    case CertificateVerdict::none:
      return "none";
    case CertificateVerdict::verified:
      return "verified";
    case CertificateVerdict::revoked:
      return "revoked";
    case CertificateVerdict::expired:
      return "expired";
    case CertificateVerdict::not_yet_valid:
      return "not_yet_valid";
    case CertificateVerdict::untrusted:
      return "untrusted";
    case CertificateVerdict::wrong_purpose:
      return "wrong_purpose";
    case CertificateVerdict::crl_unusable:
      return "crl_unusable";
    case CertificateVerdict::invalid:
      return "invalid";
  }
  return "invalid";
}

std::string_view name_of(RequestAction action) {
  switch (action) {
    case RequestAction::refused:
      return "refused";
    case RequestAction::allowed:
      return "allowed";
    case RequestAction::blocked:
      return "blocked";
  }
  return "refused";
}

std::size_t worst_case_size(AccessRecord const& record) {
  std::size_t size = skeleton_size + LineWriter::slack;
  for (std::string_view const text :
       {record.request_id, record.client_address, record.listener, record.sni, record.host,
        record.method, record.path, record.query, record.protocol, record.user_agent,
        record.tls_version, record.tls_cipher, record.rule, record.shadow, record.origin,
        record.origin_server, record.failure, record.failure_detail}) {
    size += LineWriter::worst_case_text(text);
  }
  for (std::string_view const rule : logged(record.logging_rules)) {
    size += LineWriter::worst_case_text(rule) + 4;
  }
  return size + worst_case_size(record.certificate);
}

std::size_t worst_case_size(HandshakeRecord const& record) {
  std::size_t size = skeleton_size + LineWriter::slack;
  for (std::string_view const text :
       {record.client_address, record.listener, record.sni, record.tls_version, record.reason,
        record.alert, record.failure}) {
    size += LineWriter::worst_case_text(text);
  }
  return size + worst_case_size(record.certificate);
}

char* write_json(AccessRecord const& record, char* to) {
  ReadyMembers none;
  return write_json(record, to, none);
}

char* write_json(AccessRecord const& record, char* to, ReadyMembers& ready) {
  auto const* const known = ready.find(record);
  ReadyMembers::Parts made;
  LineWriter out{to};
  json_begin(out, record.time);
  json_word<"event">(out, "request");
  json_text<"request_id">(out, record.request_id);
  if (known != nullptr) {
    out.plain(known->client());
  } else {
    made.client = out.since([&] { json_client(out, record); });
  }
  json_text<"host">(out, record.host);
  json_text<"method">(out, record.method);
  json_text<"path">(out, record.path);
  json_text<"query">(out, record.query);
  json_text<"protocol">(out, record.protocol);
  json_number<"status">(out, record.status);
  json_number<"bytes_in">(out, record.bytes_in);
  json_number<"bytes_out">(out, record.bytes_out);
  json_time<"handshake_us">(out, record.handshake);
  json_time<"origin_connect_us">(out, record.origin_connect);
  json_time<"origin_us">(out, record.origin_time);
  json_time<"total_us">(out, record.total);
  if (known != nullptr) {
    out.plain(known->tls());
    json_verdict(out, record.certificate);
    if (record.certificate.presented) out.plain(known->certificate());
  } else {
    made.tls = out.since([&] { json_tls(out, record); });
    json_verdict(out, record.certificate);
    made.certificate = out.since([&] { json_certificate_facts(out, record.certificate); });
    ready.keep(record, made);
  }
  json_word<"action">(out, name_of(record.action));
  json_text<"rule">(out, record.rule);
  json_rules(out, record.logging_rules);
  json_text<"shadow">(out, record.shadow);
  json_text<"origin">(out, record.origin);
  json_text<"origin_server">(out, record.origin_server);
  if (record.origin_attempts != 0) {
    json_number<"origin_attempts">(out, record.origin_attempts);
  }
  json_text<"failure">(out, record.failure);
  json_text<"failure_detail">(out, record.failure_detail);
  json_text<"user_agent">(out, record.user_agent);
  out.literal("}\n");
  return out.end();
}

char* write_json(HandshakeRecord const& record, char* to) {
  LineWriter out{to};
  json_begin(out, record.time);
  json_word<"event">(out, "handshake_failed");
  json_client(out, record);
  json_time<"handshake_us">(out, record.handshake);
  json_text<"tls_version">(out, record.tls_version);
  json_verdict(out, record.certificate);
  json_certificate_facts(out, record.certificate);
  json_text<"reason">(out, record.reason);
  json_text<"alert">(out, record.alert);
  json_text<"failure">(out, record.failure);
  out.literal("}\n");
  return out.end();
}

char* write_text(AccessRecord const& record, char* to) {
  LineWriter out{to};
  out.time(record.time);
  out.character(' ');
  text_client(out, record.client_address, record.client_port);
  out.character(' ');
  text_value(out, record.host);
  out.literal(" \"");
  if (record.method.empty() && record.path.empty()) {
    out.character('-');  // the head was malformed
  } else {
    out.escaped(record.method);
    out.character(' ');
    out.escaped(record.path);
    if (!record.query.empty()) {
      out.character('?');
      out.escaped(record.query);
    }
    out.character(' ');
    out.escaped(record.protocol);
  }
  out.literal("\" ");
  out.number(record.status);
  out.literal(" in=");
  out.number(record.bytes_in);
  out.literal(" out=");
  out.number(record.bytes_out);
  text_time(out, " handshake=", record.handshake);
  text_time(out, " connect=", record.origin_connect);
  text_time(out, " origin_time=", record.origin_time);
  text_time(out, " total=", record.total);
  out.literal(" action=");
  out.plain(name_of(record.action));
  text_pair(out, " rule=", record.rule);
  for (std::string_view const rule : logged(record.logging_rules)) {
    text_pair(out, " log_rule=", rule);
  }
  text_pair(out, " shadow=", record.shadow);
  text_pair(out, " failure=", record.failure);
  text_pair(out, " failure_detail=", record.failure_detail);
  text_certificate(out, record.certificate);
  text_pair(out, " origin=", record.origin);
  text_pair(out, " server=", record.origin_server);
  if (record.origin_attempts > 1) {
    out.literal(" attempts=");
    out.number(record.origin_attempts);
  }
  text_pair(out, " tls=", record.tls_version);
  text_pair(out, " cipher=", record.tls_cipher);
  if (record.tls_resumed) out.literal(" resumed");
  text_pair(out, " sni=", record.sni);
  text_pair(out, " listener=", record.listener);
  text_pair(out, " id=", record.request_id);
  text_pair(out, " agent=", record.user_agent);
  out.character('\n');
  return out.end();
}

char* write_text(HandshakeRecord const& record, char* to) {
  LineWriter out{to};
  out.time(record.time);
  out.character(' ');
  text_client(out, record.client_address, record.client_port);
  out.literal(" handshake failed");
  text_pair(out, " failure=", record.failure);
  text_pair(out, " reason=", record.reason);
  text_pair(out, " alert=", record.alert);
  text_certificate(out, record.certificate);
  text_time(out, " handshake=", record.handshake);
  text_pair(out, " tls=", record.tls_version);
  text_pair(out, " sni=", record.sni);
  text_pair(out, " listener=", record.listener);
  out.character('\n');
  return out.end();
}

void append_json(AccessRecord const& record, std::string& out) {
  append_with<AccessRecord>(write_json, record, out);
}
void append_json(HandshakeRecord const& record, std::string& out) {
  append_with<HandshakeRecord>(write_json, record, out);
}
void append_text(AccessRecord const& record, std::string& out) {
  append_with<AccessRecord>(write_text, record, out);
}
void append_text(HandshakeRecord const& record, std::string& out) {
  append_with<HandshakeRecord>(write_text, record, out);
}

}  // namespace certgate::telemetry
