// Declares the field table to the rules engine, and prints it for the documentation.
#include "certgate/policy/fields.hpp"

#include <algorithm>

#include "certgate/rules/function.hpp"

namespace certgate::policy {
namespace {

rules::FieldOptions options_of(FieldRow const& row) {
  rules::FieldOptions options;
  options.doc = std::string{row.doc};
  options.letters = row.letters;
  options.hexadecimal = row.hexadecimal;
  options.never_missing = true;  // Cloudflare: the fields "default to" false or ""; so do all here
  if (row.name == "http.request.headers") options.key_letters = rules::Letters::lower;
  return options;
}

void add_managed_lists(rules::Scheme& scheme) {
  for (auto const* name :
       {"cf.anonymizer", "cf.botnetcc", "cf.malware", "cf.open_proxies", "cf.vpn"}) {
    scheme.add_unavailable_list(
        name,
        {.reason = "it is a list that Cloudflare manages",
         .hint = "put the addresses into a list of your own: lists: [{name: ..., file: ...}]"});
  }
}

void append_cell(std::string& out, std::string_view text) {
  for (char const c : text) {
    if (c == '|') out += '\\';  // a Markdown table ends its cell there, even inside backticks
    out += c;
  }
}

void append_answered(std::string& out, std::size_t first, std::size_t last) {
  out += "| field | type | value | example |\n|---|---|---|---|\n";
  for (auto const& row : field_table().subspan(first, last - first)) {
    out += "| `" + std::string{row.name} + "` | " + rules::format_type(row.type) + " | ";
    append_cell(out, row.doc);
    out += " | `";
    append_cell(out, row.example);
    out += "` |\n";
  }
}

std::string_view fixed_value_of(rules::Type type) {
  switch (type.kind()) {
    case rules::Kind::boolean:
      return "false";
    case rules::Kind::integer:
      return "0";
    default:
      return "\"\"";
  }
}

}  // namespace

bool reads_body(rules::FieldSet const& fields) {
  auto const ids = fields.ids();
  return std::any_of(ids.begin(), ids.end(), is_body_field);
}

rules::Scheme make_scheme(Schema schema) {
  rules::Scheme scheme;
  for (auto const& row : field_table()) {
    if (row.availability != Availability::refused || schema == Schema::documented) {
      scheme.add_field(std::string{row.name}, row.type, options_of(row));
    } else {
      scheme.add_unavailable_field(std::string{row.name},
                                   {std::string{row.doc}, std::string{row.example}});
    }
  }
  rules::add_standard_functions(scheme);
  if (schema == Schema::certgate) add_managed_lists(scheme);
  // Not "revoked implies verified": a certificate on the operator's deny list is revoked even when
  // it does not verify.
  scheme.add_implication(id_of(Field::cert_verified), id_of(Field::cert_presented));
  scheme.add_implication(id_of(Field::cert_revoked), id_of(Field::cert_presented));
  return scheme;
}

std::string format_field_reference() {
  struct Section {
    std::string_view title;
    Field first, last;
  };
  static constexpr Section sections[] = {
      {"### Client certificate", Field::cert_presented, Field::ssl},
      {"### Connection", Field::ssl, Field::host},
      {"### Request line", Field::host, Field::headers},
      {"### Header fields", Field::headers, Field::body_raw},
      {"### Body", Field::body_raw, Field::first_fixed},
  };
  std::string out;
  for (auto const& section : sections) {
    out += section.title;
    out += "\n\n";
    append_answered(out, id_of(section.first), id_of(section.last));
    out += '\n';
  }
  out += "### Fields with a fixed value\n\n| field | type | always | why |\n|---|---|---|---|\n";
  auto const table = field_table();
  for (auto const& row :
       table.subspan(answered_field_count(), valued_field_count() - answered_field_count())) {
    out += "| `" + std::string{row.name} + "` | " + rules::format_type(row.type) + " | `";
    out += fixed_value_of(row.type);
    out += "` | ";
    append_cell(out, row.doc);
    out += " |\n";
  }
  out += "\n### Refused fields\n\n| field | not available, because |\n|---|---|\n";
  for (auto const& row : table.subspan(valued_field_count())) {
    out += "| `" + std::string{row.name} + "` | ";
    append_cell(out, row.doc);
    out += " |\n";
  }
  return out;
}

}  // namespace certgate::policy
