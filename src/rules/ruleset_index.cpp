#include "certgate/rules/ruleset_index.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "parse_number.hpp"
#include "sets.hpp"

namespace certgate::rules {

namespace {

using Shape = Requirement::Shape;

// A bucket of at most this many rules is simply run through.
constexpr std::size_t small_bucket = 6;
constexpr int max_divisions = 6;
// Below the first division a rule is filed under few keys only, or copies would multiply.
constexpr std::size_t max_keys_first = 4096;
constexpr std::size_t max_keys_later = 16;

// How a key is computed from a request's value.
struct Probe {
  enum class Kind : std::uint8_t { text, integer, boolean, prefix, network_v4, network_v6 };
  FieldId field;
  Kind kind;
  std::uint32_t length = 0;  // of the prefix in bytes, of the network in bits

  std::uint64_t seed() const {
    return hash_number(static_cast<std::uint64_t>(field) << 40 |
                       static_cast<std::uint64_t>(kind) << 32 | length);
  }
  friend auto operator<=>(Probe const&, Probe const&) = default;
};

struct Key {
  Probe probe;
  std::uint64_t hash;
};

std::uint64_t masked_hash(std::uint8_t const* bytes, std::uint32_t bits, std::uint64_t seed) {
  std::uint64_t words[2] = {0, 0};
  auto* const out = reinterpret_cast<std::uint8_t*>(words);
  std::memcpy(out, bytes, bits / 8);
  if (bits % 8 != 0) {
    out[bits / 8] = static_cast<std::uint8_t>(bytes[bits / 8] & (0xff00 >> (bits % 8)));
  }
  return hash_number(words[0] ^ hash_number(words[1] ^ seed));
}

std::vector<Key> keys_of(Requirement const& requirement) {
  std::vector<Key> keys;
  auto const add = [&keys](Probe probe, std::uint64_t hash) { keys.push_back({probe, hash}); };
  switch (requirement.shape) {
    case Shape::equals_one_of:
      for (auto const& value : requirement.values) {
        Probe const probe{requirement.field, Probe::Kind::text};
        add(probe, hash_bytes(value, probe.seed()));
      }
      break;
    case Shape::starts_with:
      for (auto const& value : requirement.values) {
        Probe const probe{requirement.field, Probe::Kind::prefix,
                          static_cast<std::uint32_t>(value.size())};
        add(probe, hash_bytes(value, probe.seed()));
      }
      break;
    case Shape::in_networks:
      for (auto const& network : requirement.networks) {
        bool const v4 = network.address().is_v4();
        Probe const probe{requirement.field, v4 ? Probe::Kind::network_v4 : Probe::Kind::network_v6,
                          network.length()};
        add(probe, masked_hash(network.address().bytes().data(), network.length(), probe.seed()));
      }
      break;
    case Shape::is_true:
    case Shape::is_not_true: {
      Probe const probe{requirement.field, Probe::Kind::boolean};
      add(probe, hash_number(probe.seed() ^ (requirement.shape == Shape::is_true ? 1 : 0)));
      break;
    }
  }
  return keys;
}

// The key of what a request has there; false when no rule filed so can match.
bool key_of(Probe const& probe, ValueView const& value, std::uint64_t seed,
            std::uint64_t& key) noexcept {
  if (probe.kind == Probe::Kind::boolean) {
    bool const is_true = value.kind() == Kind::boolean && value.as_bool();
    key = hash_number(seed ^ (is_true ? 1 : 0));
    return true;
  }
  switch (value.kind()) {
    case Kind::bytes: {
      auto const bytes = value.as_bytes();
      if (probe.kind == Probe::Kind::text) {
        key = hash_bytes(bytes, seed);
        return true;
      }
      if (probe.kind != Probe::Kind::prefix || bytes.size() < probe.length) return false;
      key = hash_bytes(bytes.substr(0, probe.length), seed);
      return true;
    }
    case Kind::integer:
      key = hash_number(seed ^ hash_number(static_cast<std::uint64_t>(value.as_integer())));
      return true;
    case Kind::ip:
      if (value.ip_is_v4() != (probe.kind == Probe::Kind::network_v4)) return false;
      key = masked_hash(value.ip_bytes(), probe.length, seed);
      return true;
    default:
      return false;
  }
}

}  // namespace

struct RulesetIndex::Tables {
  struct Node {
    std::uint32_t list_begin = 0;  // of `postings`: candidates whatever else holds
    std::uint32_t list_end = 0;
    std::uint32_t probe_begin = 0;
    std::uint32_t probe_end = 0;
  };
  struct FiledProbe {
    Probe probe;
    std::uint64_t seed;
  };
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t node = Candidates::none;  // none: the slot is free
  };

  std::vector<Node> nodes;  // the first is the root
  std::vector<FiledProbe> probes;
  std::vector<std::uint32_t> postings;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> enabled;

  std::uint32_t find(std::uint64_t key) const noexcept {
    auto const mask = slots.size() - 1;
    for (auto slot = key & mask; slots[slot].node != Candidates::none; slot = (slot + 1) & mask) {
      if (slots[slot].key == key) return slots[slot].node;
    }
    return Candidates::none;
  }
};

namespace {

std::uint64_t key_in(std::uint32_t node, std::uint64_t hash) {
  return hash_number(hash + node * 0x9e3779b97f4a7c15);
}

}  // namespace

class RulesetIndexBuilder {
 public:
  using Tables = RulesetIndex::Tables;

  RulesetIndexBuilder(std::span<Requirements const* const> requirements, Tables& tables)
      : requirements_(requirements), tables_(tables) {}

  void run() {
    tables_.nodes.emplace_back();
    std::vector<Filed> all;
    for (std::uint32_t i = 0; i < requirements_.size(); ++i) {
      if (!requirements_[i]) continue;
      tables_.enabled.push_back(i);
      auto const& wants = *requirements_[i];
      bool const impossible = std::any_of(wants.begin(), wants.end(),
                                          [](Requirement const& r) { return r.impossible(); });
      if (!impossible) all.push_back({i, 0});
    }
    divide(0, std::move(all), 0);
    tables_.slots.resize(std::bit_ceil(entries_.size() * 2 + 1));
    auto const mask = tables_.slots.size() - 1;
    for (auto const& [key, node] : entries_) {
      auto slot = key & mask;
      while (tables_.slots[slot].node != Candidates::none) slot = (slot + 1) & mask;
      tables_.slots[slot] = {key, node};
    }
  }

 private:
  // A rule on its way down, with the requirements (by bit) that have been used above.
  struct Filed {
    std::uint32_t rule;
    std::uint64_t used;
  };
  struct Choice {
    std::size_t requirement = 0;
    std::vector<Key> keys;
  };

  static constexpr std::size_t max_considered = 64;

  void divide(std::uint32_t node, std::vector<Filed> rules, int divisions) {
    if (divisions > 0 && (rules.size() <= small_bucket || divisions == max_divisions)) {
      auto& here = tables_.nodes[node];
      here.list_begin = static_cast<std::uint32_t>(tables_.postings.size());
      for (auto const& each : rules) tables_.postings.push_back(each.rule);
      here.list_end = static_cast<std::uint32_t>(tables_.postings.size());
      return;
    }
    auto const max_keys = divisions == 0 ? max_keys_first : max_keys_later;
    // How many rules could be filed under each key.
    std::unordered_map<std::uint64_t, std::uint32_t> crowd;
    std::vector<std::vector<Choice>> choices(rules.size());
    crowd.reserve(rules.size() * 2);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      auto const& wants = *requirements_[rules[i].rule];
      for (std::size_t r = 0; r < std::min(wants.size(), max_considered); ++r) {
        auto const size = wants[r].values.size() + wants[r].networks.size();
        if ((rules[i].used >> r & 1) != 0 || size > max_keys) continue;
        choices[i].push_back({r, keys_of_typed(wants[r])});
        for (auto const& key : choices[i].back().keys) ++crowd[key.hash];
      }
    }
    std::vector<std::uint32_t> always;
    std::unordered_map<std::uint64_t, std::vector<Filed>> buckets;
    std::vector<std::uint64_t> order;
    std::vector<Probe> probes;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      Choice const* best = nullptr;
      std::uint64_t best_crowd = UINT64_MAX;
      for (auto const& choice : choices[i]) {
        std::uint64_t largest = 0;
        for (auto const& key : choice.keys) {
          largest = std::max<std::uint64_t>(largest, crowd[key.hash]);
        }
        if (largest < best_crowd) {
          best = &choice;
          best_crowd = largest;
        }
      }
      if (!best || (divisions > 0 && best_crowd == rules.size())) {
        always.push_back(rules[i].rule);
        continue;
      }
      auto const used = rules[i].used | std::uint64_t{1} << best->requirement;
      for (auto const& key : best->keys) {
        auto& bucket = buckets[key.hash];
        if (bucket.empty()) order.push_back(key.hash);
        if (bucket.empty() || bucket.back().rule != rules[i].rule) {
          bucket.push_back({rules[i].rule, used});
        }
        probes.push_back(key.probe);
      }
    }
    choices.clear();
    std::sort(probes.begin(), probes.end());
    probes.erase(std::unique(probes.begin(), probes.end()), probes.end());
    auto& here = tables_.nodes[node];
    here.list_begin = static_cast<std::uint32_t>(tables_.postings.size());
    tables_.postings.insert(tables_.postings.end(), always.begin(), always.end());
    here.list_end = static_cast<std::uint32_t>(tables_.postings.size());
    here.probe_begin = static_cast<std::uint32_t>(tables_.probes.size());
    for (auto const& probe : probes) tables_.probes.push_back({probe, probe.seed()});
    here.probe_end = static_cast<std::uint32_t>(tables_.probes.size());
    for (auto const hash : order) {
      auto const child = static_cast<std::uint32_t>(tables_.nodes.size());
      tables_.nodes.emplace_back();
      entries_.emplace_back(key_in(node, hash), child);
      divide(child, std::move(buckets[hash]), divisions + 1);
    }
  }

  // Int values are requirements in decimal text; a request has them as numbers.
  std::vector<Key> keys_of_typed(Requirement const& requirement) const {
    auto keys = keys_of(requirement);
    if (requirement.shape != Shape::equals_one_of || !requirement.is_integer) return keys;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i].probe.kind = Probe::Kind::integer;
      auto const number = parse_integer(requirement.values[i]).value_or(0);
      keys[i].hash =
          hash_number(keys[i].probe.seed() ^ hash_number(static_cast<std::uint64_t>(number)));
    }
    return keys;
  }

  std::span<Requirements const* const> requirements_;
  Tables& tables_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> entries_;
};

RulesetIndex RulesetIndex::build(std::span<Requirements const* const> requirements) {
  auto tables = std::make_shared<Tables>();
  RulesetIndexBuilder(requirements, *tables).run();
  RulesetIndex index;
  index.tables_ = std::move(tables);
  return index;
}

RulesetIndex RulesetIndex::every_rule(std::span<Requirements const* const> requirements) {
  auto tables = std::make_shared<Tables>();
  for (std::uint32_t i = 0; i < requirements.size(); ++i) {
    if (requirements[i]) tables->enabled.push_back(i);
  }
  RulesetIndex index;
  index.tables_ = std::move(tables);
  return index;
}

std::size_t RulesetIndex::memory_bytes() const {
  if (!tables_) return 0;
  return sizeof(Tables) + tables_->nodes.capacity() * sizeof(Tables::Node) +
         tables_->probes.capacity() * sizeof(Tables::FiledProbe) +
         (tables_->postings.capacity() + tables_->enabled.capacity()) * sizeof(std::uint32_t) +
         tables_->slots.capacity() * sizeof(Tables::Slot);
}

Candidates::Candidates(RulesetIndex const& index, Values values) noexcept {
  if (!index.tables_) return;
  auto const& tables = *index.tables_;
  if (!tables.nodes.empty()) {
    add_node(tables, 0, values);
    if (!overflow_) return;
  }
  count_ = 0;
  overflow_ = false;
  add_list(tables.enabled);
}

bool Candidates::add_list(std::span<std::uint32_t const> list) noexcept {
  if (list.empty()) return true;
  if (count_ == max_lists) {
    overflow_ = true;
    return false;
  }
  lists_[count_++] = {list.data(), list.data() + list.size()};
  return true;
}

// Recursion is bounded by max_divisions.
void Candidates::add_node(RulesetIndex::Tables const& tables, std::uint32_t node,
                          Values values) noexcept {
  auto const& here = tables.nodes[node];
  std::span<std::uint32_t const> const postings(tables.postings);
  if (!add_list(postings.subspan(here.list_begin, here.list_end - here.list_begin))) return;
  for (auto i = here.probe_begin; i < here.probe_end; ++i) {
    auto const& filed = tables.probes[i];
    std::uint64_t hash = 0;
    if (!key_of(filed.probe, values[filed.probe.field], filed.seed, hash)) continue;
    auto const child = tables.find(key_in(node, hash));
    if (child == none) continue;
    add_node(tables, child, values);
    if (overflow_) return;
  }
}

std::uint32_t Candidates::next() noexcept {
  std::uint32_t least = none;
  for (std::size_t i = 0; i < count_; ++i) least = std::min(least, *lists_[i].next);
  if (least == none) return none;
  for (std::size_t i = 0; i < count_;) {
    if (*lists_[i].next == least && ++lists_[i].next == lists_[i].end) {
      lists_[i] = lists_[--count_];  // the one moved here is looked at next
    } else {
      ++i;
    }
  }
  return least;
}

}  // namespace certgate::rules
