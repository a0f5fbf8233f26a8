// Reads rules, the files they come from, and headers computed from fields.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "certgate/base/encoding.hpp"
#include "expression_text.hpp"
#include "read_parts.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

// Cloudflare's other actions: what they do there has no counterpart in a standalone proxy.
constexpr std::string_view foreign_actions[] = {
    "challenge", "js_challenge", "managed_challenge",
    "skip",      "execute",      "rewrite",
    "redirect",  "route",        "set_config",
    "score",     "serve_error",  "bypass",
    "simulate",  "drop",         "force_connection_close"};

// Never set or removed by a rule: they frame the message or belong to one hop.
constexpr std::string_view reserved_fields[] = {
    "host", "content-length", "transfer-encoding", "connection",       "keep-alive",
    "te",   "trailer",        "upgrade",           "proxy-connection", "expect"};

// RFC 9110 §5.6.2 token.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           marks.find(c) != marks.npos;
  });
}

// YAML ends a plain value at " #": what looks like the rest of the expression is a comment.
bool is_cut_by_comment(Value value) {
  if (!value.is_plain()) return false;
  if (std::count(value.text().begin(), value.text().end(), '"') % 2 == 0) return false;
  SourceText const& source = value.source();
  Mark const mark = value.mark();
  std::string_view rest = source.text().substr(mark.offset() + mark.length());
  rest = rest.substr(0, rest.find('\n'));
  std::size_t const first = rest.find_first_not_of(" \t");
  return first != rest.npos && rest[first] == '#';
}

ExpressionText read_expression(Reading& reading, std::string_view name, Value value) {
  if (!is_text(reading, name, value, "an expression")) return {};
  if (is_cut_by_comment(value)) {
    reading.wrong(value, in_backquotes(name) + " ends at ` #`, where YAML begins a comment",
                  "put the whole expression in 'single quotes', or below `>-`");
    return {};
  }
  ExpressionText expression = expression_text(value);
  if (expression.text().find_first_not_of(" \t\r\n") == std::string::npos) {
    reading.wrong(value, in_backquotes(name) + " is empty",
                  name == "expression" ? "write `ssl` to match every request"
                                       : "write a field or a literal, or remove it");
  }
  return expression;
}

void read_response(Reading& reading, Value value, Rule& rule) {
  Response response;
  MapReader map{reading, value, "rules[].response"};
  if (!map.good()) return;
  Setting<std::uint64_t> status{403};
  map.number("status", status);
  response.status = {static_cast<int>(*status), status.mark};
  map.text("content_type", response.content_type);
  map.lines("body", response.body);
  if (!response.content_type->empty() && response.content_type->find('/') == std::string::npos) {
    reading.wrong(response.content_type.mark, "`content_type` must be a media type",
                  "write application/json or text/plain; charset=utf-8");
  }
  if (map.has("body") && !map.has("content_type")) {
    reading.wrong(response.body.mark, "`body` without `content_type`",
                  "add `content_type: text/plain; charset=utf-8`");
  }
  if (map.has("content_type") && !map.has("body")) {
    reading.wrong(response.content_type.mark, "`content_type` without `body`",
                  "add `body`, or remove it: the built-in answer goes by Accept");
  }
  if (rule.action.mark.written() && *rule.action != Action::block) {
    reading.wrong(
        value, "`response` has no effect with `action: " + std::string{name_of(*rule.action)} + "`",
        "remove it, or write `action: block`: nothing else answers the client");
  }
  rule.response = std::move(response);
}

MtlsForm read_mtls(Reading& reading, Value value) {
  MtlsForm form;
  MapReader map{reading, value, "rules[].mtls"};
  form.mark = value.mark();
  if (!map.good()) return form;
  map.one_or_more("hosts", [&](Value entry) {
    if (!is_line(reading, "hosts", entry)) return;
    auto host = parse_host_name(entry.text());
    if (host && host->kind == HostName::Kind::any) {
      reading.wrong(entry, "`*` is not a host name for the mTLS rule form",
                    "name the hosts, or write an expression without http.host");
    } else if (host) {
      form.hosts.push_back({std::move(*host), entry.mark()});
    } else {
      reading.wrong(entry, in_backquotes(entry.text()) + " is not a host name: " + host.error().detail,
                    "write it as clients ask for it: api.example.com or *.example.com");
    }
  });
  map.one_or_more("paths", [&](Value entry) {
    if (!is_line(reading, "paths", entry)) return;
    if (!entry.text().starts_with('/')) {
      reading.wrong(entry, "the path " + in_backquotes(entry.text()) + " must start with a slash",
                    "write `/" + std::string{entry.text()} + "`");
      return;
    }
    form.paths.push_back({std::string{entry.text()}, entry.mark()});
  });
  map.flag("block_revoked", form.block_revoked);
  return form;
}

void read_action(MapReader& map, Rule& rule) {
  Value const value = map.get("action");
  if (!value) return;
  if (value.is_scalar() && std::find(std::begin(foreign_actions), std::end(foreign_actions),
                                     value.text()) != std::end(foreign_actions)) {
    map.reading().wrong(value, "the action " + in_backquotes(value.text()) + " does not exist in certgate",
                        value.text() == "skip" || value.text() == "bypass"
                            ? "`allow` lets the request through and asks no further rule"
                            : "write block, allow or log");
    return;
  }
  if (value.is_scalar() && value.text() == "deny") {
    map.reading().wrong(value, "`action` must be block, allow or log, but is `deny`",
                        "write `block`");
    return;
  }
  map.choice_of(map.key_named("action"), value, rule.action);
}

Rule read_rule(Reading& reading, Value value) {
  Rule rule;
  MapReader map{reading, value, "rules[]"};
  if (!map.good()) return rule;
  rule.mark = map.mark();
  map.text("name", rule.name);
  map.lines("description", rule.description);
  if (Value const expression = map.get("expression")) {
    rule.expression = read_expression(reading, "expression", expression);
  }
  if (Value const mtls = map.get("mtls")) rule.mtls = read_mtls(reading, mtls);
  if (map.is_meant("expression") == map.is_meant("mtls")) {
    reading.wrong(rule.mark,
                  map.has("mtls") ? "a rule has either `expression` or `mtls`, not both"
                                  : "a rule needs `expression` or `mtls`",
                  map.has("mtls") ? "write the second as a rule of its own"
                                  : "add `expression: not cf.tls_client_auth.cert_verified`");
  }
  read_action(map, rule);
  map.flag("enabled", rule.enabled);
  if (Value const response = map.get("response")) read_response(reading, response, rule);
  return rule;
}

void read_rule_list(Reading& reading, std::string_view name, Value list, std::vector<Rule>& rules) {
  if (!list.is_sequence()) {
    reading.wrong(list,
                  in_backquotes(name) + " must be a list of rules, but is " + std::string{kind_name(list)},
                  "start each rule with `- name: ...`");
    return;
  }
  rules.reserve(rules.size() + list.count());
  for (Value entry = list.first(); entry; entry = entry.next()) {
    rules.push_back(read_rule(reading, entry));
  }
}

void read_rule_file(Reading& reading, FilePath const& path, std::vector<Rule>& rules) {
  auto text = reading.files.read(path.resolved);
  if (!text) {
    reading.wrong(path.mark, "cannot read " + in_backquotes(path.written) + ": " + text.error().detail,
                  hint_for_unreadable(text.error()));
    return;
  }
  SourceText const& source = reading.keep(SourceText{path.resolved, std::move(*text)});
  YamlTree const tree{source, reading.mistakes};
  Value const root = tree.root();
  if (!root) return;
  if (root.is_mapping()) {
    reading.wrong(root, "a rule file is a list of rules, not a map",
                  "start each rule with `- name: ...` in the first column");
    return;
  }
  read_rule_list(reading, "the rule file", root, rules);
}

void check_rule_names(Reading& reading, std::vector<Rule> const& rules) {
  std::unordered_map<std::string_view, Mark const*> seen;
  seen.reserve(rules.size());
  for (Rule const& rule : rules) {
    if (rule.name->empty()) continue;
    auto const [entry, inserted] = seen.emplace(*rule.name, &rule.name.mark);
    if (inserted) continue;
    Place const before = entry->second->place();
    reading.wrong(rule.name.mark, "a second rule with the name " + in_backquotes(*rule.name),
                  "the first is at " + before.file + ":" + std::to_string(before.line) +
                      ": names stand in logs and metrics and must differ");
  }
}

// X-User, x_user and X.USER are one name to many origins.
std::string comparable(std::string_view name) {
  std::string out = ascii_lower(name);
  for (char& c : out) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) c = '-';
  }
  return out;
}

bool is_field_name(Reading& reading, Value name) {
  if (!name.is_scalar() || !is_token(name.text())) {
    reading.wrong(name, in_backquotes(name.is_scalar() ? name.text() : "") + " is not a field name",
                  "field names have letters, digits and hyphens, and no colon");
    return false;
  }
  std::string const compared = comparable(name.text());
  if (std::find(std::begin(reserved_fields), std::end(reserved_fields), compared) !=
      std::end(reserved_fields)) {
    reading.wrong(name, in_backquotes(name.text()) + " cannot be set or removed",
                  compared == "host" ? "`preserve_host` of the origin decides about Host"
                                     : "the proxy itself answers for the framing of messages");
    return false;
  }
  return true;
}

}  // namespace

std::vector<Rule> read_rules(MapReader& map, std::vector<FilePath>& rule_files) {
  std::vector<Rule> rules;
  if (Value const list = map.get("rules")) read_rule_list(map.reading(), "rules", list, rules);
  map.paths("rule_files", rule_files);
  for (FilePath const& path : rule_files) read_rule_file(map.reading(), path, rules);
  check_rule_names(map.reading(), rules);
  return rules;
}

std::optional<ShadowRules> read_shadow(MapReader& top) {
  Value const value = top.get("shadow");
  if (!value) return std::nullopt;
  ShadowRules shadow;
  MapReader map{top.reading(), value, "shadow"};
  if (!map.good()) return std::nullopt;
  shadow.mark = map.mark();
  std::vector<FilePath> files;
  shadow.rules = read_rules(map, files);
  map.choice("default_action", shadow.default_action);
  return shadow;
}

void read_request_headers(Reading& reading, Value value, RequestHeaders& headers) {
  MapReader map{reading, value, "request_headers"};
  if (!map.good()) return;
  std::map<std::string, std::string_view> seen;
  auto const is_new = [&](Value name) {
    auto const [before, inserted] = seen.emplace(comparable(name.text()), name.text());
    // The very same key twice in a map is reported as such already.
    if (!inserted && before->second != name.text()) {
      reading.wrong(name,
                    "the field " + in_backquotes(name.text()) + " is " + in_backquotes(before->second) + " again",
                    "case, `-` and `_` make no difference; what is set is removed first anyway");
    }
    return inserted;
  };
  if (Value const set = map.get("set")) {
    if (!set.is_mapping()) {
      reading.wrong(set,
                    "`set` must be a map of field names, but is " + std::string{kind_name(set)},
                    "write `X-Client-DN: cf.tls_client_auth.cert_subject_dn`");
    } else {
      for (Value name = set.first(); name;) {
        Value const expression = name.next();
        if (is_field_name(reading, name) && is_new(name)) {
          headers.set.push_back({{std::string{name.text()}, name.mark()},
                                 read_expression(reading, name.text(), expression)});
        }
        name = expression.next();
      }
    }
  }
  map.one_or_more("remove", [&](Value name) {
    if (!is_field_name(reading, name)) return;
    bool const in_set = seen.contains(comparable(name.text()));
    if (in_set && seen[comparable(name.text())] == name.text()) {
      reading.wrong(name, "the field " + in_backquotes(name.text()) + " is named twice",
                    "what is set is removed first anyway");
    } else if (is_new(name)) {
      headers.remove.push_back({std::string{name.text()}, name.mark()});
    }
  });
}

}  // namespace certgate::config
