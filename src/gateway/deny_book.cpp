#include "deny_book.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "certgate/gateway/build.hpp"
#include "json_answers.hpp"
#include "materials.hpp"
#include "state_files.hpp"

namespace certgate::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t max_entries = 100'000;
constexpr std::size_t max_text = 4'096;
constexpr UnixSeconds longest = UnixSeconds{100} * 366 * 86'400;

std::string list_path(std::string const& directory) { return directory + "/denied.json"; }
std::string audit_path(std::string const& directory) { return directory + "/audit.log"; }

json to_json(x509::DenyEntry const& entry) {
  json value = json::object();
  if (!entry.serial.empty()) value["serial"] = entry.serial;
  if (!entry.issuer.empty()) value["issuer"] = entry.issuer;
  if (!entry.fingerprint.empty()) value["fingerprint"] = entry.fingerprint;
  if (!entry.subject.empty()) value["subject"] = entry.subject;
  if (!entry.reason.empty()) value["reason"] = entry.reason;
  if (entry.expires != x509::never_expires) value["expires"] = entry.expires;
  return value;
}

std::string dump(json const& value, int indent = -1) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

// Reads members by name and remembers which were there, so that a misspelt one is an error.
class Members {
 public:
  explicit Members(json const& object) : object_(object) {}

  Result<std::string> text(char const* name) {
    auto const at = object_.find(name);
    if (at == object_.end()) return std::string();
    ++seen_;
    if (!at->is_string()) return fail(ErrorCode::invalid, quoted(name) + " is not a text");
    auto value = at->get<std::string>();
    if (value.size() > max_text) return fail(ErrorCode::invalid, quoted(name) + " is too long");
    return value;
  }
  Result<std::optional<UnixSeconds>> number(char const* name) {
    auto const at = object_.find(name);
    if (at == object_.end()) return std::optional<UnixSeconds>();
    ++seen_;
    if (!at->is_number_integer()) {
      return fail(ErrorCode::invalid, quoted(name) + " is not a whole number");
    }
    return std::optional<UnixSeconds>(at->get<UnixSeconds>());
  }
  Result<void> flag(char const* name) {
    auto const at = object_.find(name);
    if (at == object_.end()) return {};
    ++seen_;
    if (!at->is_boolean()) return fail(ErrorCode::invalid, quoted(name) + " is not true or false");
    return {};
  }
  Result<void> finish() const {
    if (seen_ == object_.size()) return {};
    return fail(ErrorCode::invalid, "there are members that nobody knows");
  }

 private:
  static std::string quoted(char const* name) { return "`" + std::string(name) + "`"; }
  json const& object_;
  std::size_t seen_ = 0;
};

Result<x509::DenyEntry> read_criteria(Members& members) {
  x509::DenyEntry entry;
  CERTGATE_TRY(entry.serial, members.text("serial"));
  CERTGATE_TRY(entry.issuer, members.text("issuer"));
  CERTGATE_TRY(entry.fingerprint, members.text("fingerprint"));
  CERTGATE_TRY(entry.subject, members.text("subject"));
  CERTGATE_TRY(entry.reason, members.text("reason"));
  return entry;
}

struct Request {
  x509::DenyList::Pointer criteria;  // one entry, in canonical form
  std::string by;
};

// Whether `text` begins with a type and `=`, as every part of a distinguished name does.
bool begins_with_type(std::string_view text) {
  auto const end = text.find_first_not_of(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
  return end != 0 && end != text.npos && text[end] == '=' &&
         (end + 1 == text.size() || text[end + 1] != ' ');
}

// Names are compared whole and byte by byte: what is not written as certgate writes names would deny
// nobody, in the moment in which somebody has to be thrown out.
bool is_whole_name(std::string_view text) {
  if (text.starts_with('/')) return begins_with_type(text.substr(1));
  if (!begins_with_type(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if ((text[i] == ',' || text[i] == '+') && !begins_with_type(text.substr(i + 1))) {
      return false;
    }
  }
  return true;
}

Result<void> check_names(x509::DenyEntry const& entry) {
  for (auto const& [what, name] : {std::pair{"subject", &entry.subject}, {"issuer", &entry.issuer}}) {
    if (name->empty() || is_whole_name(*name)) continue;
    return fail(ErrorCode::invalid,
                "the " + std::string(what) + " `" + *name +
                    "` is not a whole name as `certgate doctor` and the access log show it, such as "
                    "CN=sensor-7,O=Example (no spaces behind commas or around `=`)");
  }
  return {};
}

Result<Request> read_request(std::string_view body, UnixSeconds now) {
  auto const object = json::parse(body, nullptr, false);
  if (!object.is_object()) return fail(ErrorCode::invalid, "the request is not a JSON object");
  Members members(object);
  CERTGATE_TRY(auto entry, read_criteria(members));
  CERTGATE_TRY(auto const seconds, members.number("seconds"));
  Request request;
  CERTGATE_TRY(request.by, members.text("by"));
  if (auto const form = members.flag("json"); !form) return fail(form.error());
  if (auto const known = members.finish(); !known) return fail(known.error());
  if (seconds) {
    if (*seconds <= 0 || *seconds > longest) {
      return fail(ErrorCode::invalid, "the time must be more than nothing and at most 100 years");
    }
    entry.expires = now + *seconds;
  }
  auto built = x509::DenyList::build({std::move(entry)});
  if (!built) {
    auto detail = built.error().detail;
    constexpr std::string_view numbered = "deny entry 1";
    if (detail.starts_with(numbered)) detail.replace(0, numbered.size(), "a deny entry");
    return fail(built.error().code, std::move(detail));
  }
  request.criteria = std::move(*built);
  return request;
}

// What became of a change, for scripts. `concerned` null: nothing changed.
std::string format_change(bool done, x509::DenyList const* concerned, std::size_t connections,
                          bool kept, std::string const& problem,
                          std::string const& warning = {}) {
  json answer = json::object();
  answer["done"] = done;
  answer["entries"] = json::array();
  if (concerned != nullptr) {
    for (auto const& entry : concerned->entries()) answer["entries"].push_back(to_json(entry));
  }
  answer["open_connections"] = connections;
  answer["kept"] = kept;
  answer["problem"] = problem;
  answer["warning"] = warning;
  return dump(answer) + "\n";
}

bool is_same(x509::DenyEntry const& a, x509::DenyEntry const& b) {
  return a.serial == b.serial && a.issuer == b.issuer && a.fingerprint == b.fingerprint &&
         a.subject == b.subject;
}

// Whether the criteria of an `undeny` take this entry away.
bool covers(x509::DenyEntry const& criteria, x509::DenyEntry const& entry) {
  if (is_same(criteria, entry)) return true;
  return !criteria.serial.empty() && criteria.issuer.empty() && criteria.serial == entry.serial;
}

Result<std::vector<x509::DenyEntry>> read_list(std::string const& text) {
  auto const file = json::parse(text, nullptr, false);
  if (!file.is_object() || !file.contains("denied") || !file["denied"].is_array()) {
    return fail(ErrorCode::invalid, "it is not a deny list");
  }
  std::vector<x509::DenyEntry> entries;
  for (auto const& value : file["denied"]) {
    if (!value.is_object()) return fail(ErrorCode::invalid, "an entry is not an object");
    Members members(value);
    CERTGATE_TRY(auto entry, read_criteria(members));
    CERTGATE_TRY(auto const expires, members.number("expires"));
    if (auto const known = members.finish(); !known) return fail(known.error());
    if (expires) entry.expires = *expires;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

std::string describe(x509::DenyEntry const& entry) {
  if (!entry.fingerprint.empty()) return "fingerprint " + entry.fingerprint;
  if (!entry.subject.empty()) return "subject " + entry.subject;
  auto text = "serial " + entry.serial;
  text += entry.issuer.empty() ? " of any issuer" : " of " + entry.issuer;
  return text;
}

Result<std::unique_ptr<DenyBook>> DenyBook::open(std::string directory, UnixSeconds now) {
  auto book = std::make_unique<DenyBook>();
  book->directory_ = std::move(directory);
  if (book->is_kept()) {
    if (auto made = make_state_directory(book->directory_); !made) return fail(made.error());
    CERTGATE_TRY(book->list_, read(book->directory_, now));
  } else {
    CERTGATE_TRY(book->list_, x509::DenyList::build({}));
  }
  return book;
}

Result<x509::DenyList::Pointer> DenyBook::read(std::string const& directory, UnixSeconds now) {
  auto const path = list_path(directory);
  auto const refuse = [&](char const* verb, Error const& error) {
    return fail(error.code, std::string("cannot ") + verb + " " + path + ": " + error.detail);
  };
  DiskReader disk;
  auto const text = disk.read(path);
  if (!text && text.error().code == ErrorCode::not_found) return x509::DenyList::build({});
  if (!text) return refuse("read", text.error());
  auto entries = read_list(*text);
  if (!entries) return refuse("use", entries.error());
  std::erase_if(*entries, [&](auto const& entry) { return entry.expires <= now; });
  auto built = x509::DenyList::build(std::move(*entries));
  if (!built) return refuse("use", built.error());
  return built;
}

x509::DenyList::Pointer DenyBook::list() const {
  std::lock_guard const lock(mutex_);
  return list_;
}

std::vector<x509::DenyEntry> DenyBook::entries(UnixSeconds now) const {
  auto entries = list()->entries();
  std::erase_if(entries, [&](auto const& entry) { return entry.expires <= now; });
  return entries;
}

Result<DenyChange> DenyBook::plan_deny(std::string_view body, UnixSeconds now) const {
  CERTGATE_TRY(auto request, read_request(body, now));
  auto const& added = request.criteria->entries().front();
  if (auto const named = check_names(added); !named) return fail(named.error());
  auto all = entries(now);
  // Denied again: the newest word counts.
  std::erase_if(all, [&](auto const& entry) { return is_same(entry, added); });
  if (all.size() >= max_entries) {
    return fail(ErrorCode::exhausted, "the deny list is full (" + std::to_string(max_entries) +
                                          " entries): put them on a CRL");
  }
  all.push_back(added);
  DenyChange change;
  CERTGATE_TRY(change.list, x509::DenyList::build(std::move(all)));
  change.concerned = std::move(request.criteria);
  change.by = std::move(request.by);
  return change;
}

Result<DenyChange> DenyBook::plan_undeny(std::string_view body, UnixSeconds now) const {
  CERTGATE_TRY(auto const request, read_request(body, now));
  auto const& criteria = request.criteria->entries().front();
  std::vector<x509::DenyEntry> stay, go;
  for (auto& entry : entries(now))
    (covers(criteria, entry) ? go : stay).push_back(std::move(entry));
  if (go.empty()) {
    return fail(ErrorCode::not_found, "the deny list has no entry with " + describe(criteria));
  }
  DenyChange change;
  change.kind = DenyChange::Kind::undeny;
  CERTGATE_TRY(change.list, x509::DenyList::build(std::move(stay)));
  CERTGATE_TRY(change.concerned, x509::DenyList::build(std::move(go)));
  change.by = request.by;
  return change;
}

Result<void> DenyBook::keep(DenyChange const& change) {
  if (!is_kept()) return {};
  json file = json::object();
  file["version"] = 1;
  file["denied"] = json::array();
  for (auto const& entry : change.list->entries()) file["denied"].push_back(to_json(entry));
  return replace_state_file(list_path(directory_), dump(file, 1) + "\n");
}

void DenyBook::take(DenyChange const& change) {
  std::lock_guard const lock(mutex_);
  list_ = change.list;
}

Result<void> DenyBook::audit(DenyChange const& change, std::size_t connections, UnixSeconds now) {
  if (!is_kept()) return {};
  json line = json::object();
  line["time"] = now;
  line["event"] = change.kind == DenyChange::Kind::deny ? "deny" : "undeny";
  line["entries"] = json::array();
  for (auto const& entry : change.concerned->entries()) line["entries"].push_back(to_json(entry));
  line["open_connections"] = connections;
  if (!change.by.empty()) line["by"] = change.by;
  return append_state_line(audit_path(directory_), dump(line));
}

DenyAnswer DenyBook::change(DenyChange::Kind kind, std::string_view body, UnixSeconds now,
                            DenyTarget const& target) {
  bool const denies = kind == DenyChange::Kind::deny;
  bool const as_json = wants_json(body);
  auto planned = denies ? plan_deny(body, now) : plan_undeny(body, now);
  DenyAnswer answer;
  if (!planned) {
    answer.log_line = (denies ? "deny refused: " : "undeny refused: ") + planned.error().detail;
    answer.text = "nothing changed: " + planned.error().detail + "\n";
    if (as_json) answer.text = format_change(false, nullptr, 0, false, planned.error().detail);
    return answer;
  }
  auto const& change = *planned;
  std::string trouble;
  bool is_in_file = is_kept();
  if (!denies) {
    if (auto const kept = keep(change); !kept) {
      answer.log_line = "undeny refused: " + kept.error().detail;
      answer.text = "nothing changed, the entry stays in force: " + kept.error().detail + "\n";
      if (as_json) answer.text = format_change(false, nullptr, 0, false, kept.error().detail);
      return answer;
    }
  }
  auto const connections = target.count_connections(*change.concerned);
  auto const in_force = target.put_in_force(change.list);
  if (!in_force) trouble += in_force.error().detail + "\n";
  take(change);
  if (denies) {
    if (auto const kept = keep(change); !kept) {
      is_in_file = false;
      trouble += "in force, but lost with the next restart: " + kept.error().detail + "\n";
    }
  }
  if (auto const audited = audit(change, connections, now); !audited) {
    trouble += "not in the audit log: " + audited.error().detail + "\n";
  }

  for (auto const& entry : change.concerned->entries()) {
    if (!answer.log_line.empty()) answer.log_line += ", ";
    answer.log_line += describe(entry);
    if (denies && entry.expires != x509::never_expires) {
      answer.log_line += " until " + format_day(entry.expires);
    }
  }
  answer.log_line = (denies ? "denied " : "no longer denied: ") + answer.log_line + ": " +
                    std::to_string(connections) +
                    (connections == 1 ? " open connection" : " open connections");
  answer.text = answer.log_line + (connections == 1 ? " is affected\n" : " are affected\n");
  if (denies && !is_kept()) {
    answer.text += "not kept over a restart: the configuration has no `state_directory`\n";
  }
  auto const doubt = denies ? target.doubt : std::string{};
  if (!doubt.empty()) {
    answer.text += "warning: " + doubt + "\n";
    answer.log_line += "; " + doubt;
  }
  answer.text += trouble;
  if (!trouble.empty()) answer.log_line += " (" + trouble.substr(0, trouble.size() - 1) + ")";
  answer.ok = trouble.empty();
  if (as_json) {
    if (!trouble.empty()) trouble.pop_back();  // the end of its last line
    answer.text = format_change(answer.ok, change.concerned.get(), connections, is_in_file, trouble,
                                doubt);
  }
  return answer;
}

std::string DenyBook::format(std::string_view body, UnixSeconds now) const {
  bool const as_json = wants_json(body);
  auto const all = entries(now);
  if (as_json) {
    json answer = json::object();
    answer["kept"] = is_kept();
    answer["denied"] = json::array();
    for (auto const& entry : all) answer["denied"].push_back(to_json(entry));
    return dump(answer) + "\n";
  }
  std::string text;
  for (auto const& entry : all) {
    text += describe(entry);
    if (entry.expires != x509::never_expires) text += ", until " + format_day(entry.expires);
    if (!entry.reason.empty()) text += ", because: " + entry.reason;
    text += "\n";
  }
  if (text.empty()) text = "nobody is denied\n";
  return text;
}

}  // namespace certgate::gateway
