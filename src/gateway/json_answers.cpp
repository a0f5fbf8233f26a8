#include "json_answers.hpp"

#include <nlohmann/json.hpp>

#include "certgate/gateway/build.hpp"

namespace certgate::gateway {
namespace {

using nlohmann::json;

char const* severity_word(Severity severity) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: break;
  }
  return "note";
}

json list_of(Diagnostics const& diagnostics) {
  json list = json::array();
  for (auto const& diagnostic : diagnostics) {
    list.push_back({{"severity", severity_word(diagnostic.severity)},
                    {"file", diagnostic.place.file},
                    {"line", diagnostic.place.line},
                    {"column", diagnostic.place.column},
                    {"message", diagnostic.message},
                    {"hint", diagnostic.hint}});
  }
  return list;
}

// Paths and names come from files: whatever bytes they hold, this is valid JSON.
std::string text_of(json const& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

bool wants_json(std::string_view body) {
  auto const asked = json::parse(body, nullptr, false);
  return asked.is_object() && asked.contains("json") && asked["json"] == true;
}

std::string format_diagnostics_json(Diagnostics const& diagnostics) {
  return text_of(list_of(diagnostics));
}

std::string format_reload_json(Result<Receipt, Diagnostics> const& result, std::uint64_t version) {
  json answer = json::object();
  answer["reloaded"] = result.has_value();
  answer["version"] = result ? result->version : version;
  if (result) {
    answer["changes"] = result->changes;
    answer["took_us"] = result->took.count();
  }
  answer["diagnostics"] = list_of(result ? result->warnings : result.error());
  return text_of(answer) + "\n";
}

}  // namespace certgate::gateway
