// Says in sentences what differs between two configurations.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "certgate/config/format_config.hpp"
#include "certgate/config/names.hpp"
#include "plain_settings.hpp"

namespace certgate::config {
namespace {

using Sentences = std::vector<std::string>;

std::string counted(std::vector<std::pair<std::size_t, std::string_view>> const& counts) {
  std::string out;
  for (auto const& [count, what] : counts) {
    if (count == 0) continue;
    if (!out.empty()) out += ", ";
    out += std::to_string(count);
    out += ' ';
    out += what;
  }
  return out;
}

void compare_plain(PlainSettings const& before, PlainSettings const& now, Sentences& out) {
  std::map<std::string_view, std::string> old{before.begin(), before.end()};
  for (auto const& [path, value] : now) {
    auto const found = old.find(path);
    if (found == old.end()) {
      out.push_back(std::string{path} + ": set to " + value);
    } else if (found->second != value) {
      out.push_back(std::string{path} + ": " + found->second + " to " + value);
    }
    old.erase(path);
  }
  for (auto const& [path, value] : old) out.push_back(std::string{path} + ": removed");
}

void compare_rules(std::string const& what, std::vector<Rule> const& before,
                   std::vector<Rule> const& now, Sentences& out) {
  std::unordered_map<std::string_view, Rule const*> old;
  for (Rule const& rule : before) old.emplace(*rule.name, &rule);
  std::size_t added = 0;
  std::size_t changed = 0;
  std::vector<std::string_view> kept_now;
  std::set<std::string_view> kept;
  for (Rule const& rule : now) {
    auto const found = old.find(*rule.name);
    if (found == old.end()) {
      ++added;
      continue;
    }
    if (!(*found->second == rule)) ++changed;
    kept_now.push_back(*rule.name);
    kept.insert(*rule.name);
  }
  std::vector<std::string_view> kept_before;
  for (Rule const& rule : before) {
    if (kept.contains(*rule.name)) kept_before.push_back(*rule.name);
  }
  std::string text = counted(
      {{added, "added"}, {before.size() - kept_before.size(), "removed"}, {changed, "changed"}});
  if (kept_before != kept_now) text += text.empty() ? "order changed" : ", order changed";
  if (!text.empty()) out.push_back(what + ": " + text);
}

// "added", "removed", or what `compare` says about those that both have.
template <class Item, class KeyOf, class Compare>
void compare_named(std::string const& what, std::vector<Item> const& before,
                   std::vector<Item> const& now, KeyOf const& key_of, Compare const& compare,
                   Sentences& out) {
  std::unordered_map<std::string, Item const*> old;
  for (Item const& item : before) old.emplace(key_of(item), &item);
  for (Item const& item : now) {
    std::string const key = key_of(item);
    auto const found = old.find(key);
    if (found == old.end()) {
      out.push_back(what + " " + key + ": added");
      continue;
    }
    std::string const difference = compare(*found->second, item);
    if (!difference.empty()) out.push_back(what + " " + key + ": " + difference);
    old.erase(found);
  }
  for (Item const& item : before) {
    if (old.contains(key_of(item))) out.push_back(what + " " + key_of(item) + ": removed");
  }
}

class Changes {
 public:
  template <class T>
  Changes& part(std::string_view name, T const& before, T const& now) {
    if (!(before == now)) {
      if (!text_.empty()) text_ += ", ";
      text_ += name;
    }
    return *this;
  }
  std::string text() const { return text_.empty() ? "" : text_ + " changed"; }

 private:
  std::string text_;
};

std::string host_difference(Host const& before, Host const& now) {
  ClientAuth const& old_auth = before.client_auth;
  ClientAuth const& auth = now.client_auth;
  return Changes{}
      .part("names", before.names, now.names)
      .part("certificate", before.identities, now.identities)
      .part("client_auth mode", old_auth.mode, auth.mode)
      .part("ca", old_auth.ca, auth.ca)
      .part("crl", old_auth.crl, auth.crl)
      .part("crl_check", old_auth.crl_check, auth.crl_check)
      .part("on_expired_crl", old_auth.on_expired_crl, auth.on_expired_crl)
      .part("crl_distribution_points", old_auth.crl_distribution_points,
            auth.crl_distribution_points)
      .part("depth", old_auth.depth, auth.depth)
      .part("origin", before.origin, now.origin)
      .part("routes", before.routes, now.routes)
      .part("tls", before.tls, now.tls)
      .part("forward_client_certificate", before.forward_client_certificate,
            now.forward_client_certificate)
      .part("request_headers", before.request_headers, now.request_headers)
      .text();
}

std::string origin_difference(Origin const& before, Origin const& now) {
  return Changes{}
      .part("servers", before.servers, now.servers)
      .part("resolve_every", before.resolve_every, now.resolve_every)
      .part("balance", before.balance, now.balance)
      .part("tls", before.tls, now.tls)
      .part("health", before.health, now.health)
      .part("keepalive", before.keepalive, now.keepalive)
      .part("preserve_host", before.preserve_host, now.preserve_host)
      .text();
}

std::string listener_difference(Listener const& before, Listener const& now) {
  return Changes{}
      .part("proxy_protocol", before.proxy_protocol, now.proxy_protocol)
      .part("trusted_sources", before.trusted_sources, now.trusted_sources)
      .text();
}

std::vector<std::string_view> sorted_entries(List const& list) {
  std::vector<std::string_view> out;
  for (auto const& entry : list.entries) out.push_back(*entry);
  std::sort(out.begin(), out.end());
  return out;
}

std::string list_difference(List const& before, List const& now) {
  if (before == now) return "";
  if (before.type.value != now.type.value) {
    return "type " + std::string{name_of(*before.type)} + " to " + std::string{name_of(*now.type)};
  }
  if (before.text != nullptr || now.text != nullptr) return "changed";
  auto const old_entries = sorted_entries(before);
  auto const entries = sorted_entries(now);
  std::vector<std::string_view> common;
  std::set_intersection(old_entries.begin(), old_entries.end(), entries.begin(), entries.end(),
                        std::back_inserter(common));
  std::string text = counted(
      {{entries.size() - common.size(), "added"}, {old_entries.size() - common.size(), "removed"}});
  return text.empty() ? "order changed" : text;
}

bool same_tests(std::vector<RuleTest> const& before, std::vector<RuleTest> const& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                    [](RuleTest const& a, RuleTest const& b) {
                      return a.name == b.name && a.method == b.method && a.url == b.url &&
                             a.headers == b.headers && a.body == b.body &&
                             a.source_ip == b.source_ip &&
                             a.client_certificate == b.client_certificate && a.fields == b.fields &&
                             a.expected_action == b.expected_action &&
                             a.expected_rule == b.expected_rule;
                    });
}

}  // namespace

std::vector<std::string> diff(Config const& before, Config const& now) {
  Sentences out;
  compare_plain(plain_settings(before), plain_settings(now), out);
  compare_named(
      "listener", before.listeners, now.listeners,
      [](Listener const& listener) { return listener.address->to_string(); }, listener_difference,
      out);
  compare_named(
      "host", before.hosts, now.hosts, [](Host const& host) { return host.display_name(); },
      host_difference, out);
  compare_named(
      "origin", before.origins, now.origins, [](Origin const& origin) { return *origin.name; },
      origin_difference, out);
  compare_named(
      "list", before.lists, now.lists, [](List const& list) { return *list.name; }, list_difference,
      out);
  compare_rules("rules", before.rules, now.rules, out);
  static ShadowRules const no_shadow;
  ShadowRules const& old_shadow = before.shadow ? *before.shadow : no_shadow;
  ShadowRules const& shadow = now.shadow ? *now.shadow : no_shadow;
  compare_rules("shadow rules", old_shadow.rules, shadow.rules, out);
  if (!(old_shadow.default_action == shadow.default_action)) {
    out.push_back("shadow.default_action: " + std::string{name_of(*old_shadow.default_action)} +
                  " to " + std::string{name_of(*shadow.default_action)});
  }
  if (!same_tests(before.tests, now.tests)) out.push_back("tests: changed");
  return out;
}

}  // namespace certgate::config
