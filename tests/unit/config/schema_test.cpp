// The schema's ranges and defaults against what parsing does, and against the documentation.
#include "certgate/config/schema.hpp"

#include <gtest/gtest.h>

#include <set>

#include "certgate/config/format_config.hpp"
#include "sample.hpp"

namespace certgate::config {
namespace {

std::string parent(Key const& key) {
  std::size_t const dot = key.path.rfind('.');
  return dot == key.path.npos ? "" : std::string{key.path.substr(0, dot)};
}

// Settings that limit each other: what has to stand beside one at its edge.
std::string beside(Key const& key) {
  if (key.path == "limits.uri_bytes") return ", header_bytes: 1MiB";
  if (key.path == "crl_refresh.retry") return ", interval: 30d";
  if (key.path == "crl_refresh.interval") return ", retry: 100ms";
  return "";
}

bool accepts(Key const& key, std::string const& value) {
  std::string const line = std::string{key.name()} + ": " + value + beside(key);
  auto const config = parse_text(sample_with(parent(key), line));
  if (!config) {
    for (auto const& item : config.error()) {
      // Anything but a range would mean that the sample is wrong.
      EXPECT_NE(item.message.find("out of range"), std::string::npos) << render(config.error());
    }
  }
  return config.has_value();
}

std::string beyond(Key const& key, std::string_view bound, int step) {
  std::uint64_t value = 0;
  if (key.type == KeyType::number) {
    value = std::stoull(std::string{bound});
  } else if (key.type == KeyType::duration) {
    value = static_cast<std::uint64_t>(parse_duration(bound)->count());
  } else {
    value = parse_size(bound)->bytes;
  }
  if (step < 0 && value == 0) return "";
  value += static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
  std::string const unit = key.type == KeyType::number     ? ""
                           : key.type == KeyType::duration ? "ms"
                                                           : "B";
  return std::to_string(value) + unit;
}

TEST(Schema, RangesHoldAtTheirEdges) {
  for (Key const& key : all_keys()) {
    bool const ranged =
        key.type == KeyType::number || key.type == KeyType::duration || key.type == KeyType::size;
    if (!ranged) continue;
    SCOPED_TRACE(key.path);
    std::size_t const dots = key.range.find("..");
    ASSERT_NE(dots, key.range.npos);
    std::string const low{key.range.substr(0, dots)};
    std::string const high{key.range.substr(dots + 2)};
    EXPECT_TRUE(accepts(key, low));
    EXPECT_TRUE(accepts(key, high));
    EXPECT_FALSE(accepts(key, beyond(key, high, 1)));
    if (auto const below = beyond(key, low, -1); !below.empty()) {
      EXPECT_FALSE(accepts(key, below));
    }
  }
}

TEST(Schema, EveryChoiceIsAccepted) {
  for (Key const& key : all_keys()) {
    if (key.type != KeyType::choice || key.path.starts_with("lists")) continue;
    std::string_view rest = key.range;
    for (bool more = true; more;) {
      std::size_t const bar = rest.find('|');
      std::string line = std::string{key.name()} + ": " + std::string{rest.substr(0, bar)};
      // Required ones stand in the sample already, and are tested elsewhere.
      if (!key.required) {
        if (key.path == "listeners[].proxy_protocol" && rest.substr(0, bar) != "off") {
          line += ", trusted_sources: 10.0.0.1";
        }
        if (key.name() == "max_version") line += ", min_version: 1.2";
        auto const config = parse_text(sample_with(parent(key), line));
        EXPECT_TRUE(config) << render(config.error());
      }
      more = bar != rest.npos;
      if (more) rest.remove_prefix(bar + 1);
    }
  }
}

// config.hpp holds the defaults; the table repeats them for people.
TEST(Schema, DefaultsAreThoseInForce) {
  auto const plain = parse_text(sample_with());
  ASSERT_TRUE(plain) << render(plain.error());
  std::string const expected = format_config(*plain);
  std::size_t compared = 0;
  for (Key const& key : all_keys()) {
    if (key.fallback.empty() || key.fallback.starts_with("as ") || key.fallback == "guessed") {
      continue;
    }
    std::string const line = std::string{key.name()} + ": " + std::string{key.fallback};
    auto const config = parse_text(sample_with(parent(key), line));
    ASSERT_TRUE(config) << key.path << "\n" << render(config.error());
    EXPECT_EQ(format_config(*config), expected) << key.path;
    ++compared;
  }
  EXPECT_GT(compared, 50u);
}

TEST(Schema, KeysWithoutAValueAreMistakes) {
  auto const expect_refused = [](std::string_view prefix, std::string const& keys,
                                 std::string_view name) {
    auto const config = parse_text(sample_with(prefix, keys));
    ASSERT_FALSE(config) << prefix << " " << keys;
    EXPECT_NE(render(config.error()).find("`" + std::string{name} + "` has no value"),
              std::string::npos)
        << prefix << " " << keys << "\n" << render(config.error());
  };
  int tried = 0;
  for (Key const& key : all_keys()) {
    auto const dot = key.path.rfind('.');
    auto const prefix = dot == key.path.npos ? std::string_view{} : key.path.substr(0, dot);
    if (sample_with(prefix, "hole: 1").find("hole: 1") == std::string::npos) continue;
    expect_refused(prefix, std::string{key.name()} + ": ~", key.name());
    ++tried;
  }
  EXPECT_GE(tried, 80);
  // Beside what gives them a meaning.
  expect_refused("origins.*.tls", "verify: false, ca: ~", "ca");
  expect_refused("listeners[]", "trusted_sources: ~, proxy_protocol: v2", "trusted_sources");
}

TEST(Schema, HealthKeysWithoutAValueOrAPathAreMistakes) {
  for (std::string_view const name :
       {"host", "interval", "timeout", "healthy_after", "unhealthy_after", "status"}) {
    std::string text = sample_with();
    std::string_view const path = "health: {path: /h}";
    text.replace(text.find(path), path.size(), "health: {" + std::string{name} + ": ~}");
    auto const config = parse_text(text);
    ASSERT_FALSE(config) << name;
    EXPECT_NE(render(config.error()).find("has no value"), std::string::npos);
  }
}

TEST(Schema, PathsAreUnique) {
  std::set<std::string_view> seen;
  for (Key const& key : all_keys()) EXPECT_TRUE(seen.insert(key.path).second) << key.path;
}

// docs/configuration.md -------------------------------------------------------------------------

std::string documentation() {
  FolderReader files{CERTGATE_SOURCE_DIR};
  return files.read("docs/configuration.md").value_or(std::string{});
}

std::string cell(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string row_of(Key const& key) {
  std::string range{key.range};
  if (std::size_t const dots = range.find(".."); dots != range.npos) range.replace(dots, 2, " to ");
  for (std::size_t bar = range.find('|'); bar != range.npos; bar = range.find('|', bar)) {
    range.replace(bar, 1, ", ");
  }
  std::string const fallback =
      key.required ? "required"
      : key.fallback.empty() || key.fallback.starts_with("as ") || key.fallback == "guessed"
          ? std::string{key.fallback}
          : "`" + std::string{key.fallback} + "`";
  return "| `" + std::string{key.path} + "` | " + std::string{name_of(key.type)} + " | " +
         fallback + " | " + range + " | " + cell(key.summary) + " |";
}

// The blocks between ```yaml and ```.
std::vector<std::string> yaml_blocks(std::string const& text) {
  std::vector<std::string> blocks;
  for (std::size_t at = text.find("```yaml\n"); at != text.npos; at = text.find("```yaml\n", at)) {
    at += 8;
    std::size_t const end = text.find("```", at);
    blocks.push_back(text.substr(at, end - at));
    at = end;
  }
  return blocks;
}

TEST(Documentation, HasTheRowOfEveryKey) {
  std::string const text = documentation();
  std::string missing;
  for (Key const& key : all_keys()) {
    std::string const row = row_of(key) + "\n";
    if (text.find("\n" + row) == text.npos) missing += row;
  }
  EXPECT_EQ(missing, "") << "rows that docs/configuration.md lacks";
}

TEST(Documentation, ShowsEveryKeyInAnExample) {
  std::string blocks = "\n";
  for (std::string const& block : yaml_blocks(documentation())) blocks += block;
  for (Key const& key : all_keys()) {
    std::string const name = std::string{key.name()} + ":";
    bool const shown = blocks.find(" " + name) != blocks.npos ||
                       blocks.find("\n" + name) != blocks.npos ||
                       blocks.find("{" + name) != blocks.npos;
    EXPECT_TRUE(shown) << "no example of " << key.path;
  }
}

// A block is a whole configuration, or some top-level keys of one.
TEST(Documentation, ItsExamplesAreValid) {
  auto const blocks = yaml_blocks(documentation());
  EXPECT_GE(blocks.size(), 10u);
  for (std::string block : blocks) {
    auto const has = [&](std::string const& key) {
      return ("\n" + block).find("\n" + key + ":") != std::string::npos;
    };
    if (block.starts_with("- ")) continue;  // a rule file
    if (!has("listeners")) block += "listeners: [{address: \"127.0.0.1:443\"}]\n";
    if (!has("hosts")) {
      block += "hosts: [{names: x, certificate: c, private_key: k, origin: api}]\n";
    }
    if (!has("origins")) block += "origins: {api: {servers: \"http://a\"}}\n";
    auto const config = parse_text(block, {{"rules/partners.yaml", "[]"},
                                           {"candidates.yaml", "[]"},
                                           {"stolen-serials.txt", "0A1B\n"}});
    EXPECT_TRUE(config) << block << "\n" << render(config.error());
  }
}

}  // namespace
}  // namespace certgate::config
