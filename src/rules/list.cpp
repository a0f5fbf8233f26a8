#include "certgate/rules/list.hpp"

#include <functional>

#include "certgate/base/encoding.hpp"
#include "parse_number.hpp"
#include "sets.hpp"

namespace certgate::rules {

namespace {

constexpr std::size_t max_host_bytes = 253;  // RFC 1035 §2.3.4, without the trailing dot

class IpList final : public List {
 public:
  explicit IpList(std::vector<AddressRange> const& ranges) : List(ListKind::ip), set_(ranges) {
    size_ = set_.size();
    memory_bytes_ = set_.memory_bytes();
  }
  bool contains(ValueView const& value) const noexcept override {
    return !value.is_missing() && set_.contains(value.ip_bytes(), value.ip_is_v4());
  }

 private:
  AddressSet set_;
};

class IntegerList final : public List {
 public:
  explicit IntegerList(std::vector<IntegerRange> ranges)
      : List(ListKind::integer), set_(std::move(ranges)) {
    size_ = set_.size();
    memory_bytes_ = set_.memory_bytes();
  }
  bool contains(ValueView const& value) const noexcept override {
    return !value.is_missing() && set_.contains(value.as_integer());
  }

 private:
  IntegerSet set_;
};

class BytesList final : public List {
 public:
  explicit BytesList(std::vector<std::string_view> const& entries)
      : List(ListKind::bytes), set_(entries) {
    size_ = set_.size();
    memory_bytes_ = set_.memory_bytes();
  }
  bool contains(ValueView const& value) const noexcept override {
    return !value.is_missing() && set_.contains(value.as_bytes());
  }
  void visit(std::function<void(std::string_view)> const& each) const override {
    set_.visit(each);
  }

 private:
  BytesSet set_;
};

// Exact names and, for "*.example.com", what stands behind the star, dot included.
class HostList final : public List {
 public:
  explicit HostList(std::vector<std::string_view> const& entries)
      : List(ListKind::host), set_(entries) {
    for (auto const entry : entries) has_wildcards_ = has_wildcards_ || entry.starts_with('.');
    size_ = set_.size();
    memory_bytes_ = set_.memory_bytes();
  }
  bool contains(ValueView const& value) const noexcept override {
    if (value.is_missing()) return false;
    auto name = value.as_bytes();
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > max_host_bytes) return false;
    char lower[max_host_bytes];
    for (std::size_t i = 0; i < name.size(); ++i) lower[i] = ascii_lower(name[i]);
    std::string_view const canonical(lower, name.size());
    if (canonical.starts_with('.')) return false;
    if (set_.contains(canonical)) return true;
    if (!has_wildcards_) return false;
    for (auto dot = canonical.find('.'); dot != std::string_view::npos;
         dot = canonical.find('.', dot + 1)) {
      if (set_.contains(canonical.substr(dot))) return true;
    }
    return false;
  }

 private:
  BytesSet set_;
  bool has_wildcards_ = false;
};

// A canonical host name, or ".example.com" for "*.example.com".
Result<std::string, LiteralMistake> parse_host(std::string_view text) {
  auto host = ascii_lower(text);
  if (host.ends_with('.')) host.pop_back();
  auto const name = std::string_view(host).substr(host.starts_with("*.") ? 2 : 0);
  auto const refuse = [&](std::string hint) {
    return fail(LiteralMistake{"`" + std::string(text) + "` is not a host name", std::move(hint)});
  };
  if (name.empty() || name.size() > max_host_bytes) return refuse("");
  if (name.find("//") != std::string_view::npos || name.find('/') != std::string_view::npos) {
    return refuse("leave out the scheme and the path");
  }
  if (name.find('*') != std::string_view::npos) {
    return refuse("a star can only stand for everything before the first dot: `*.example.com`");
  }
  if (name.find(':') != std::string_view::npos) return refuse("leave out the port");
  std::size_t label = 0;
  for (char const c : name) {
    bool const letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' && label == 0) return refuse("a label between two dots is empty");
    if (!letter && c != '.') return refuse("internationalised names are written as xn--...");
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return refuse("a label has at most 63 characters");
  }
  return host.starts_with("*.") ? host.substr(1) : host;
}

// Collects entries of one kind, then becomes a List.
class Builder {
 public:
  Builder(ListKind kind, std::size_t max_mistakes) : kind_(kind), max_mistakes_(max_mistakes) {}

  // False when enough mistakes have been seen.
  bool add(std::string_view entry, Span span) {
    switch (kind_) {
      case ListKind::ip: {
        auto range = parse_address_range(entry);
        if (!range) return mistake(span, std::move(range).error());
        addresses_.push_back(*range);
        return true;
      }
      case ListKind::integer: {
        auto range = parse_integer_range(entry);
        if (!range) return mistake(span, std::move(range).error());
        integers_.push_back(*range);
        return true;
      }
      case ListKind::bytes:
        texts_.push_back(entry);
        return true;
      case ListKind::host: {
        auto host = parse_host(entry);
        if (!host) return mistake(span, std::move(host).error());
        hosts_.push_back(std::move(host).value());
        return true;
      }
    }
    return true;
  }

  Result<ListPtr, Mistakes> build() {
    if (!mistakes_.empty()) return fail(std::move(mistakes_));
    for (auto const& host : hosts_) texts_.push_back(host);
    switch (kind_) {
      case ListKind::ip:
        return ListPtr(std::make_shared<IpList>(addresses_));
      case ListKind::integer:
        return ListPtr(std::make_shared<IntegerList>(std::move(integers_)));
      case ListKind::bytes:
        return ListPtr(std::make_shared<BytesList>(texts_));
      case ListKind::host:
        break;
    }
    return ListPtr(std::make_shared<HostList>(texts_));
  }

 private:
  bool mistake(Span span, LiteralMistake what) {
    // A list is a set: what can only stand in one is fine here.
    if (what.hint.starts_with("a network can only") || what.hint.starts_with("a range can only")) {
      what.hint.clear();
    }
    mistakes_.push_back({span, std::move(what.message), std::move(what.hint)});
    return mistakes_.size() < max_mistakes_;
  }

  ListKind kind_;
  std::size_t max_mistakes_;
  Mistakes mistakes_;
  std::vector<AddressRange> addresses_;
  std::vector<IntegerRange> integers_;
  std::vector<std::string_view> texts_;
  std::vector<std::string> hosts_;
};

bool is_space_in_line(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The entry of a line: without comment and surrounding white space.
std::string_view entry_of(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || is_space_in_line(line[i - 1]))) {
      line = line.substr(0, i);
      break;
    }
  }
  while (!line.empty() && is_space_in_line(line.back())) line.remove_suffix(1);
  while (!line.empty() && is_space_in_line(line.front())) line.remove_prefix(1);
  return line;
}

}  // namespace

std::string_view name_of(ListKind kind) {
  switch (kind) {
    case ListKind::ip:
      return "ip";
    case ListKind::integer:
      return "integer";
    case ListKind::bytes:
      return "string";
    case ListKind::host:
      break;
  }
  return "host name";
}

Type type_of(ListKind kind) {
  if (kind == ListKind::ip) return ip_type;
  return kind == ListKind::integer ? int_type : bytes_type;
}

Result<ListPtr, Mistakes> parse_list(ListKind kind, std::string_view text,
                                     std::size_t max_mistakes) {
  Builder builder(kind, max_mistakes);
  for (std::size_t start = 0; start < text.size();) {
    auto end = text.find('\n', start);
    if (end == std::string_view::npos) end = text.size();
    auto const entry = entry_of(text.substr(start, end - start));
    if (!entry.empty()) {
      Span const span{static_cast<std::size_t>(entry.data() - text.data()), entry.size()};
      if (!builder.add(entry, span)) break;
    }
    start = end + 1;
  }
  return builder.build();
}

Result<ListPtr, Mistakes> build_list(ListKind kind, std::span<std::string const> entries,
                                     std::size_t max_mistakes) {
  Builder builder(kind, max_mistakes);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!builder.add(entries[i], {i, entries[i].size()})) break;
  }
  return builder.build();
}

}  // namespace certgate::rules
