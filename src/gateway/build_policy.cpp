#include "build_policy.hpp"

#include "certgate/gateway/build.hpp"
#include "certgate/policy/mtls_rule.hpp"
#include "certgate/policy/rule_test.hpp"
#include "certgate/x509/pem.hpp"

namespace certgate::gateway {
namespace {

policy::Action action_of(config::Action action) {
  switch (action) {
    case config::Action::allow: return policy::Action::allow;
    case config::Action::log: return policy::Action::log;
    case config::Action::block: break;
  }
  return policy::Action::block;
}

rules::Limits limits_of(config::Config const& config) {
  rules::Limits limits;
  limits.expression_length = static_cast<std::size_t>(*config.limits.expression_length);
  return limits;
}

policy::Locate locate_in_yaml(config::ExpressionText const& text) {
  return [&text](std::size_t offset, std::size_t length, std::string message, std::string hint,
                 Severity severity) {
    return text.diagnostic(offset, length, std::move(message), std::move(hint), severity);
  };
}

// The expression that the mTLS form means; errors point at the form.
std::optional<std::string> expression_of(config::Rule const& rule, Diagnostics& diagnostics) {
  if (!rule.mtls) return rule.expression.text();
  policy::MtlsForm form;
  for (auto const& host : rule.mtls->hosts) form.hosts.push_back(host->to_string());
  for (auto const& path : rule.mtls->paths) form.paths.push_back(*path);
  form.block_revoked = *rule.mtls->block_revoked;
  auto text = policy::format_mtls_expression(form);
  if (text) return std::move(*text);
  diagnostics.add(rule.mtls->mark.diagnostic(text.error().detail));
  return std::nullopt;
}

policy::RuleSetText rule_set(std::vector<config::Rule> const& rules, config::Action default_action,
                             Diagnostics& diagnostics) {
  policy::RuleSetText set;
  set.default_action = action_of(default_action);
  for (auto const& rule : rules) {
    auto expression = expression_of(rule, diagnostics);
    if (!expression) continue;
    policy::RuleText text;
    text.name = *rule.name;
    text.expression = std::move(*expression);
    text.action = action_of(*rule.action);
    text.enabled = *rule.enabled;
    if (rule.response) {
      text.response = policy::BlockResponse{*rule.response->status, *rule.response->content_type,
                                            *rule.response->body};
    }
    if (rule.mtls) {
      auto const mark = rule.mtls->mark;
      text.locate = [mark](std::size_t, std::size_t, std::string message, std::string hint,
                           Severity severity) {
        return mark.diagnostic(std::move(message), std::move(hint), severity);
      };
    } else {
      text.locate = locate_in_yaml(rule.expression);
    }
    set.rules.push_back(std::move(text));
  }
  return set;
}

rules::ListKind kind_of(config::ListType type) {
  switch (type) {
    case config::ListType::ip: return rules::ListKind::ip;
    case config::ListType::integer: return rules::ListKind::integer;
    case config::ListType::host: return rules::ListKind::host;
    case config::ListType::string: break;
  }
  return rules::ListKind::bytes;
}

policy::ListText list_text(config::List const& list) {
  policy::ListText text;
  text.name = *list.name;
  text.kind = kind_of(*list.type);
  text.file = list.text.get();
  text.entries.reserve(list.entries.size());
  for (auto const& entry : list.entries) text.entries.push_back(*entry);
  text.locate = [&list](std::size_t entry, std::string message, std::string hint) {
    auto const& mark =
        entry < list.entries.size() ? list.entries[entry].mark : list.name.mark;
    return mark.diagnostic(std::move(message), std::move(hint));
  };
  return text;
}

}  // namespace

std::shared_ptr<policy::Policy const> build_policy(config::Config const& config,
                                                   Diagnostics& diagnostics) {
  Diagnostics mistakes;
  policy::PolicyText text;
  text.live = rule_set(config.rules, *config.default_action, mistakes);
  if (config.shadow) {
    text.shadow = rule_set(config.shadow->rules, *config.shadow->default_action, mistakes);
  }
  for (auto const& list : config.lists) text.lists.push_back(list_text(list));
  text.limits = limits_of(config);
  auto built = policy::Policy::build(std::move(text));
  if (!built) mistakes.add_all(std::move(built.error()));
  bool const good = built.has_value() && !mistakes.has_errors();
  diagnostics.add_all(std::move(mistakes));
  if (!good) return nullptr;
  return std::make_shared<policy::Policy const>(std::move(*built));
}

std::optional<policy::HeaderValues> build_header_values(config::Config const& config,
                                                        config::RequestHeaders const& headers,
                                                        Diagnostics& diagnostics) {
  std::vector<policy::HeaderValueText> texts;
  for (auto const& header : headers.set) {
    texts.push_back({*header.name, header.value.text(), locate_in_yaml(header.value)});
  }
  auto built = policy::HeaderValues::build(std::move(texts), limits_of(config));
  if (built) return std::move(*built);
  diagnostics.add_all(std::move(built.error()));
  return std::nullopt;
}

void run_tests(config::Config const& config, policy::Policy const& policy,
               ClientPolicyOf const& policy_of, UnixSeconds at, Diagnostics& diagnostics) {
  DiskReader disk;
  auto const scratch = std::make_unique<policy::Scratch>();
  for (auto const& test : config.tests) {
    policy::SampleText sample;
    sample.method = *test.method;
    sample.url = *test.url;
    for (auto const& [name, value] : test.headers) sample.headers.emplace_back(*name, *value);
    for (auto const& [name, value] : test.fields) sample.fields.emplace_back(*name, *value);
    sample.body = *test.body;
    sample.judged_body_bytes = static_cast<std::size_t>(config.limits.judged_body_bytes->bytes);
    sample.source_ip = *test.source_ip;
    if (!test.client_certificate.empty()) {
      auto const& file = test.client_certificate;
      auto const pem = disk.read(file.resolved);
      if (!pem) {
        diagnostics.add(file.mark.diagnostic("cannot read the client certificate `" +
                                             file.resolved + "`: " + pem.error().detail));
        continue;
      }
      auto certificates = x509::parse_certificates(*pem);
      if (!certificates) {
        diagnostics.add(file.mark.diagnostic("the client certificate `" + file.resolved +
                                             "`: " + certificates.error().detail));
        continue;
      }
      auto leaf = certificates->front();
      certificates->erase(certificates->begin());
      sample.certificate = x509::ClientChain::make(std::move(leaf), std::move(*certificates));
    }
    auto const host = policy::parse_sample_host(sample.url);
    if (!host) {
      diagnostics.add(test.url.mark.diagnostic(host.error().detail));
      continue;
    }
    auto const client = policy_of(*host);
    auto const normalisation = *config.url_normalization == config::UrlNormalization::cloudflare
                                   ? http::Normalisation::cloudflare
                                   : http::Normalisation::rfc3986;
    auto const request = policy::SampleRequest::build(
        std::move(sample), client ? &*client : nullptr, normalisation, at);
    if (!request) {
      diagnostics.add(test.mark.diagnostic(request.error().detail));
      continue;
    }
    policy::RuleTest expected;
    expected.name = *test.name;
    expected.expected_action = action_of(*test.expected_action);
    expected.expected_rule = *test.expected_rule;
    auto const result = policy::run_rule_test(policy, expected, **request, *scratch);
    if (result.passed) continue;
    diagnostics.add(test.name.mark.diagnostic("test `" + *test.name + "` fails: " + result.problem,
                                              "certgate test shows every rule's part in it"));
  }
}

void check_request_fields(config::RequestHeaders const& headers,
                              proxy::IdentityForwarding const& sent, Diagnostics& diagnostics) {
  auto const look_at = [&](config::Setting<std::string> const& name) {
    auto const canonical = http::canonical_field_name(*name);
    if (!http::ForwardingPolicy::may_configure(*name)) {
      auto const plain = std::string(http::name_of(http::field_name(canonical)));
      diagnostics.add(name.mark.diagnostic(
          "`" + *name + "` is another spelling of `" + plain + "` and never sent",
          "write `" + plain + "`"));
      return;
    }
    std::string family;
    if (sent.rfc9440 && (canonical == "client-cert" || canonical == "client-cert-chain")) {
      family = "rfc9440";
    }
    if (sent.xfcc && canonical == "x-forwarded-client-cert") family = "xfcc";
    if (sent.cloudflare &&
        (canonical.starts_with("cf-cert-") || canonical.starts_with("cf-client-cert-"))) {
      family = "cloudflare";
    }
    if (family.empty()) return;
    diagnostics.add(name.mark.diagnostic(
        "`forward_client_certificate` sends `" + *name + "` already",
        "remove this name, or `" + family + "` from `forward_client_certificate`"));
  };
  for (auto const& header : headers.set) look_at(header.name);
  for (auto const& name : headers.remove) look_at(name);
}

void note_facts_in_use(proxy::Generation& generation) {
  auto const& scheme = generation.policy->scheme();
  generation.reads_local_address = generation.reads_client_hello = generation.reads_body = false;
  auto const note = [&](policy::FillPlan const& plan) {
    for (auto const id : plan.ids()) {
      std::string_view const name = scheme.field(id).name;
      if (name.starts_with("cf.edge.server_")) generation.reads_local_address = true;
      if (policy::is_body_field(id)) generation.reads_body = true;
      for (std::string_view const prefix : {"cf.tls_client_hello", "cf.tls_client_random",
                                            "cf.tls_client_extensions", "cf.tls_ciphers"}) {
        if (name.starts_with(prefix)) generation.reads_client_hello = true;
      }
    }
  };
  note(generation.policy->plan());
  proxy::RequestFields const* noted = nullptr;  // hosts with equal settings share one
  for (auto const& site : generation.sites) {
    if (site->request_fields.get() != noted) note(site->request_fields->values.plan());
    noted = site->request_fields.get();
  }
}

bool keeps_out_by(policy::Policy const& policy, std::function<bool(rules::FieldId)> const& is_one) {
  auto const& live = policy.live();
  bool blocks = live.default_action() == policy::Action::block;
  for (std::size_t i = live.size(); i-- > 0;) {
    auto const& rule = live.compiled().rule(i);
    auto const action = static_cast<policy::Action>(rule.action);
    if (!rule.enabled || action == policy::Action::log) continue;
    if (action == policy::Action::block) blocks = true;
    if (!blocks) continue;  // it lets in what would get in anyway
    auto const fields = rule.program.fields_used().ids();
    if (std::any_of(fields.begin(), fields.end(), is_one)) return true;
  }
  return false;
}

}  // namespace certgate::gateway
