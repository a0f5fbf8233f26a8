// Compiles and renders the values of `request_headers.set`.
#include "certgate/policy/header_values.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"
#include "certgate/http/client_cert_header.hpp"

namespace certgate::policy {
namespace {

bool uses_certificate(rules::Program const& program) {
  auto const ids = program.fields_used().ids();
  return std::any_of(ids.begin(), ids.end(), is_certificate_field);
}

void append_escaped_controls(std::string& out, std::string_view text) {
  for (char const c : text) {
    if (c >= 0x20 && c <= 0x7E) {
      out += c;
    } else {
      auto const byte = static_cast<std::uint8_t>(c);
      out += '%';
      append_hex(out, {&byte, 1}, HexCase::upper);
    }
  }
}

// A value that begins or ends with white space would not come out of the next parser as it went in:
// that of a certificate is escaped there too, any other is trimmed.
void append_field_value(std::string& out, rules::ValueView const& value, bool from_certificate) {
  if (value.is_missing()) return;
  auto const start = out.size();
  if (value.kind() == rules::Kind::bytes) {
    auto const text = from_certificate ? value.as_bytes() : http::trim(value.as_bytes());
    if (text.size() > max_header_value_bytes) return;
    if (from_certificate) {
      // `%` as well, so that no two names of clients look alike to the origin.
      http::append_field_text(out, text);
    } else {
      append_escaped_controls(out, text);
    }
  } else if (value.kind() == rules::Kind::ip) {
    value.as_ip().append_to(out);
  } else {
    rules::append_text(out, value);
  }
  if (out.size() - start > max_header_value_bytes) out.resize(start);
}

constexpr char const* literal_hint =
    "a text stands in double quotes, and these inside YAML's: '\"text\"'";

}  // namespace

Result<HeaderValues, Diagnostics> HeaderValues::build(std::vector<HeaderValueText> texts,
                                                      rules::Limits const& limits) {
  HeaderValues built;
  Diagnostics mistakes;
  rules::FieldSet used;
  auto const scheme = make_scheme();
  for (auto const& text : texts) {
    auto const locate = text.locate ? text.locate : locate_in(text.name, text.expression);
    auto const report = [&locate](rules::Mistakes const& found, Diagnostics& out) {
      for (auto const& mistake : found) {
        auto hint = mistake.hint;
        if (hint.empty() && mistake.message.starts_with("unknown field")) hint = literal_hint;
        out.add(locate(mistake.span.offset, mistake.span.length, mistake.message, std::move(hint),
                       mistake.severity));
      }
    };
    auto compiled = rules::compile_value(scheme, text.expression, limits);
    if (!compiled) {
      report(compiled.error(), mistakes);
      continue;
    }
    report(compiled->warnings, built.warnings_);
    used.insert_all(compiled->program.fields_used());
    built.from_certificate_.push_back(uses_certificate(compiled->program));
    built.programs_.push_back(std::move(compiled->program));
  }
  if (!mistakes.empty()) return fail(std::move(mistakes));
  built.plan_ = FillPlan{used};
  built.texts_ = std::move(texts);
  return built;
}

bool HeaderValues::render(Facts const& facts, Scratch& scratch, RenderedHeaders& out) const {
  out.text_.clear();
  out.ends_.clear();
  out.values_.clear();
  if (!fill_values(facts, plan_, scratch)) return false;
  for (std::size_t i = 0; i < programs_.size(); ++i) {
    auto const outcome =
        rules::evaluate_value(programs_[i], scratch.values(), scratch.evaluation());
    if (outcome.failed) return false;
    append_field_value(out.text_, outcome.value, from_certificate_[i]);
    out.ends_.push_back(out.text_.size());
  }
  // Views only once the text has stopped moving.
  std::size_t start = 0;
  for (auto const end : out.ends_) {
    out.values_.push_back(std::string_view{out.text_}.substr(start, end - start));
    start = end;
  }
  return true;
}

}  // namespace certgate::policy
