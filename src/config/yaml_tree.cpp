// Turns libyaml's events into nodes, with aliases, merge keys and duplicate keys dealt with.
#include "yaml_tree.hpp"

#include <yaml.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "certgate/config/read_config.hpp"
#include "utf8_text.hpp"

namespace certgate::config {
namespace {

using namespace std::string_view_literals;

// Above this many keys a set finds duplicates, below it looking at all pairs is faster.
constexpr std::size_t few_keys = 12;

struct ParserGuard {
  yaml_parser_t parser{};
  bool ready = yaml_parser_initialize(&parser) == 1;
  ParserGuard() = default;
  ParserGuard(ParserGuard const&) = delete;
  ParserGuard& operator=(ParserGuard const&) = delete;
  ~ParserGuard() {
    if (ready) yaml_parser_delete(&parser);
  }
};

struct EventGuard {
  yaml_event_t event{};
  EventGuard() = default;
  EventGuard(EventGuard const&) = delete;
  EventGuard& operator=(EventGuard const&) = delete;
  ~EventGuard() { yaml_event_delete(&event); }
};

std::string_view text_of(yaml_char_t const* chars) {
  return chars == nullptr ? ""sv : std::string_view{reinterpret_cast<char const*>(chars)};
}

std::size_t length_of(yaml_mark_t const& from, yaml_mark_t const& to) {
  return to.index > from.index ? to.index - from.index : 0;
}

struct SyntaxHint {
  std::string_view problem;
  std::string_view message;
  std::string_view hint;
};

// libyaml's words, and what they mean to somebody who edits a configuration.
constexpr SyntaxHint syntax_hints[] = {
    {"mapping values are not allowed in this context", "a `:` where no key can be",
     "put a value that contains `: ` in quotes, or check the indentation of this line"},
    {"did not find expected key", "expected a key here",
     "check the indentation, and put a value that starts with a quote in quotes as a whole"},
    {"could not find expected ':'", "this line is not `key: value`",
     "put a colon and a space behind the key, or check the indentation"},
    {"found unexpected end of stream", "a quote that is never closed",
     "close it with the same kind of quote"},
    {"did not find expected '-' indicator", "expected another `- ` list entry here",
     "start each entry of the list in the same column"},
    {"did not find expected ',' or ']'", "expected `,` or `]` in this list",
     "close the list with `]`, and put entries that contain commas or brackets in quotes"},
    {"did not find expected ',' or '}'", "expected `,` or `}` in this map",
     "close the map with `}`, and put values that contain commas or braces in quotes"},
    {"block sequence entries are not allowed in this context", "a list entry where none can be",
     "put the first `- ` on a line of its own below the key"},
    {"found unknown escape character", "an unknown escape in a \"quoted\" value",
     "write \\\\ for a backslash, or use 'single quotes', where nothing is escaped"},
    {"did not find expected <document start>", "text behind the end of the document",
     "check the indentation: the file is one map of keys"},
    {"did not find expected node content", "expected a value here",
     "write the value, or \"\" for an empty one"},
};

// What is written as `[2001:db8::1]:8443`, without quotes, on the line of that offset or the one above;
// empty when nothing is.
std::string_view bracketed_address(std::string_view source, std::size_t offset) {
  for (int lines = 0; lines < 2; ++lines) {
    auto const before = offset == 0 ? source.npos : source.rfind('\n', offset - 1);
    auto const start = before == source.npos ? 0 : before + 1;
    auto line = source.substr(start, source.find('\n', start) - start);
    auto const open = line.find('[');
    auto const shut = line.find("]:");
    if (open != line.npos && shut != line.npos && open < shut &&
        (open == 0 || line[open - 1] == ' ') &&
        line.substr(open, shut - open).find(':') != line.npos) {
      auto const end = line.find_first_not_of("0123456789", shut + 2);
      return line.substr(open, std::min(end, line.size()) - open);
    }
    if (start == 0) break;
    offset = start - 1;
  }
  return {};
}

}  // namespace

bool Value::is_null() const {
  if (!is_plain()) return false;
  std::string_view const value = text();
  return value.empty() || value == "~" || value == "null";
}

Mark Value::mark() const {
  Node const* node = node_;
  while (node->kind != NodeKind::scalar && !node->flow && node->first != nullptr) {
    node = node->first;
    if (node->alias != nullptr) node = node->alias;
  }
  return {*source_, node->offset, std::max<std::size_t>(1, node->length)};
}

class TreeBuilder {
 public:
  TreeBuilder(YamlTree& tree, Diagnostics& mistakes)
      : tree_(tree),
        mistakes_(mistakes),
        bom_(tree.source_->text().starts_with("\xEF\xBB\xBF"sv) ? 3 : 0),
        text_(tree.source_->text().substr(bom_)),
        characters_(text_) {}

  void build();

 private:
  struct Open {
    Node* node;
    Node* last = nullptr;
    std::uint32_t children = 0;
  };

  bool handle(yaml_event_t const& event);
  bool handle_scalar(yaml_event_t const& event);
  bool open(yaml_event_t const& event, NodeKind kind, bool flow, std::string_view anchor);
  bool close();
  bool attach(Node* node);
  bool resolve_alias(yaml_event_t const& event);
  void find_duplicates(Node const& mapping);
  bool merge(Node& mapping);
  bool has_merge_key(Node const& mapping) const;
  Node* new_alias(Node const* target);
  void remember_anchor(std::string_view anchor, Node* node);
  void report_syntax(yaml_parser_t const& parser);

  std::size_t offset_of(yaml_mark_t const& mark) const {
    return bom_ + characters_.byte_of(mark.index);
  }
  bool refuse(std::size_t offset, std::size_t length, std::string message, std::string hint) {
    mistakes_.add(
        make_diagnostic(*tree_.source_, offset, length, std::move(message), std::move(hint)));
    return false;
  }
  bool refuse(yaml_event_t const& event, std::string message, std::string hint) {
    return refuse(offset_of(event.start_mark),
                  std::max<std::size_t>(1, length_of(event.start_mark, event.end_mark)),
                  std::move(message), std::move(hint));
  }
  static Node const& resolved(Node const& node) {
    return node.alias == nullptr ? node : *node.alias;
  }

  YamlTree& tree_;
  Diagnostics& mistakes_;
  std::size_t bom_;
  std::string_view text_;
  CharacterIndex characters_;
  std::vector<Open> open_;
  std::unordered_map<std::string, Node*> anchors_;
  std::size_t from_aliases_ = 0;
  bool done_ = false;
};

YamlTree::YamlTree(SourceText const& source, Diagnostics& mistakes) : source_(&source) {
  if (source.text().size() > max_file_bytes) {
    Diagnostic large;
    large.place.file = source.name();
    large.message = "the file is larger than 64 MiB";
    large.hint = "split the rules over several `rule_files`, and put long lists into list files";
    mistakes.add(std::move(large));
    return;
  }
  if (auto const wrong = find_text_mistake(source.text())) {
    mistakes.add(
        make_diagnostic(source, wrong->offset, wrong->length, wrong->message, wrong->hint));
    return;
  }
  TreeBuilder(*this, mistakes).build();
}

void TreeBuilder::build() {
  ParserGuard guard;
  if (!guard.ready) throw std::bad_alloc();
  yaml_parser_set_encoding(&guard.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&guard.parser, reinterpret_cast<unsigned char const*>(text_.data()),
                               text_.size());
  bool good = true;
  for (bool more = true; more && good;) {
    EventGuard event;
    if (yaml_parser_parse(&guard.parser, &event.event) != 1) {
      report_syntax(guard.parser);
      good = false;
      break;
    }
    more = event.event.type != YAML_STREAM_END_EVENT;
    good = handle(event.event);
  }
  if (!good) {
    tree_.root_ = nullptr;
    return;
  }
  if (tree_.root_ == nullptr) {
    refuse(0, 1, "the file is empty",
           "a configuration starts with `listeners:`, a file of rules or tests with `- name:`");
  }
}

bool TreeBuilder::handle(yaml_event_t const& event) {
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT:
      if (!done_) return true;
      return refuse(event, "a second YAML document in the file",
                    "remove the `---` line: one file is one document");
    case YAML_DOCUMENT_END_EVENT:
      done_ = true;
      return true;
    case YAML_SCALAR_EVENT:
      return handle_scalar(event);
    case YAML_ALIAS_EVENT:
      return resolve_alias(event);
    case YAML_SEQUENCE_START_EVENT: {
      auto const& start = event.data.sequence_start;
      if (start.tag != nullptr) return refuse(event, "YAML tags are not used here", "remove it");
      return open(event, NodeKind::sequence, start.style == YAML_FLOW_SEQUENCE_STYLE,
                  text_of(start.anchor));
    }
    case YAML_MAPPING_START_EVENT: {
      auto const& start = event.data.mapping_start;
      if (start.tag != nullptr) return refuse(event, "YAML tags are not used here", "remove it");
      return open(event, NodeKind::mapping, start.style == YAML_FLOW_MAPPING_STYLE,
                  text_of(start.anchor));
    }
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      return close();
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
      return true;
  }
  return true;
}

bool TreeBuilder::handle_scalar(yaml_event_t const& event) {
  auto const& scalar = event.data.scalar;
  if (scalar.tag != nullptr) return refuse(event, "YAML tags are not used here", "remove it");
  Node& node = tree_.nodes_.emplace_back();
  std::size_t const end = offset_of(event.end_mark);
  std::size_t offset = offset_of(event.start_mark);
  std::string_view const source = tree_.source_->text();
  if (scalar.anchor != nullptr) {
    while (offset < end && " \t\r\n"sv.find(source[offset]) == source.npos) ++offset;
    while (offset < end && " \t\r\n"sv.find(source[offset]) != source.npos) ++offset;
  }
  switch (scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
      node.style = ScalarStyle::single_quoted;
      break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
      node.style = ScalarStyle::double_quoted;
      break;
    case YAML_LITERAL_SCALAR_STYLE:
      node.style = ScalarStyle::literal;
      break;
    case YAML_FOLDED_SCALAR_STYLE:
      node.style = ScalarStyle::folded;
      break;
    default:
      node.style = ScalarStyle::plain;
      break;
  }
  node.offset = static_cast<std::uint32_t>(offset);
  node.length = static_cast<std::uint32_t>(end - offset);
  std::string_view const value{reinterpret_cast<char const*>(scalar.value), scalar.length};
  std::size_t const quote =
      node.style == ScalarStyle::single_quoted || node.style == ScalarStyle::double_quoted ? 1 : 0;
  if (source.substr(std::min(offset + quote, source.size()), value.size()) == value) {
    node.text = source.substr(offset + quote, value.size());
  } else {
    node.text = tree_.texts_.emplace_back(value);
  }
  remember_anchor(text_of(scalar.anchor), &node);
  return attach(&node);
}

bool TreeBuilder::open(yaml_event_t const& event, NodeKind kind, bool flow,
                       std::string_view anchor) {
  if (open_.size() >= max_yaml_depth) {
    return refuse(event, "nested more than " + std::to_string(max_yaml_depth) + " levels deep",
                  "no key needs that: check the indentation and the brackets");
  }
  Node& node = tree_.nodes_.emplace_back();
  node.kind = kind;
  node.flow = flow;
  node.offset = static_cast<std::uint32_t>(offset_of(event.start_mark));
  node.length = 1;
  node.size = 0;  // open: an alias to it would contain itself
  remember_anchor(anchor, &node);
  open_.push_back({&node});
  return true;
}

bool TreeBuilder::close() {
  Node& node = *open_.back().node;
  std::uint32_t const children = open_.back().children;
  node.count = node.kind == NodeKind::mapping ? children / 2 : children;
  std::uint32_t size = 1;
  std::uint32_t height = 0;
  for (Node const* child = node.first; child != nullptr; child = child->next) {
    size += child->size;
    height = std::max(height, child->height);
  }
  node.size = size;
  node.height = height + 1;
  if (node.kind == NodeKind::mapping) {
    find_duplicates(node);
    if (has_merge_key(node) && !merge(node)) return false;
  }
  open_.pop_back();
  return attach(&node);
}

bool TreeBuilder::attach(Node* node) {
  if (tree_.nodes_.size() > max_yaml_nodes) {
    return refuse(node->offset, 1,
                  "more than " + std::to_string(max_yaml_nodes) + " values in one file",
                  "split the rules over several `rule_files`");
  }
  if (open_.empty()) {
    // An empty document is one empty plain scalar.
    bool const nothing =
        node->kind == NodeKind::scalar && node->text.empty() && node->style == ScalarStyle::plain;
    if (!nothing) tree_.root_ = node;
    return true;
  }
  Open& parent = open_.back();
  if (parent.last == nullptr) {
    parent.node->first = node;
  } else {
    parent.last->next = node;
  }
  parent.last = node;
  ++parent.children;
  return true;
}

Node* TreeBuilder::new_alias(Node const* target) {
  Node& node = tree_.nodes_.emplace_back(*target);
  node.alias = &resolved(*target);
  node.next = nullptr;
  return &node;
}

bool TreeBuilder::resolve_alias(yaml_event_t const& event) {
  std::string_view const name = text_of(event.data.alias.anchor);
  auto const found = anchors_.find(std::string{name});
  if (found == anchors_.end()) {
    std::vector<std::string_view> known;
    for (auto const& [anchor, node] : anchors_) known.push_back(anchor);
    std::sort(known.begin(), known.end());
    std::string_view const close_by = nearest(name, known);
    return refuse(event, "alias `*" + std::string{name} + "` without an anchor before it",
                  close_by.empty() ? "put `&" + std::string{name} +
                                         "` before the first value, or "
                                         "quote a value that starts with `*`, such as \"*." +
                                         std::string{name} + "\""
                                   : "did you mean `*" + std::string{close_by} + "`?");
  }
  Node const* target = found->second;
  if (target->size == 0) {
    return refuse(event, "alias `*" + std::string{name} + "` stands inside its own anchor",
                  "write the value out");
  }
  from_aliases_ += target->size;
  if (from_aliases_ > max_alias_expansion || open_.size() + target->height > max_yaml_depth) {
    return refuse(event, "aliases expand to too many values",
                  "at most " + std::to_string(max_alias_expansion) + " in all and " +
                      std::to_string(max_yaml_depth) + " levels: write the values out");
  }
  return attach(new_alias(target));
}

void TreeBuilder::find_duplicates(Node const& mapping) {
  std::unordered_map<std::string_view, Node const*> seen;
  bool const many = mapping.count > few_keys;
  for (Node const* key = mapping.first; key != nullptr; key = key->next->next) {
    Node const& name = resolved(*key);
    if (name.kind != NodeKind::scalar) {
      refuse(name.offset, 1, "a key must be a word, not a list or a map",
             "put a value that starts with [ or { in quotes");
      continue;
    }
    Node const* before = nullptr;
    if (many) {
      auto const [entry, inserted] = seen.emplace(name.text, &name);
      if (!inserted) before = entry->second;
    } else {
      for (Node const* other = mapping.first; other != key; other = other->next->next) {
        Node const& other_name = resolved(*other);
        if (other_name.kind == NodeKind::scalar && other_name.text == name.text) {
          before = &other_name;
          break;
        }
      }
    }
    if (before == nullptr) continue;
    refuse(name.offset, std::max<std::uint32_t>(1, name.length),
           "duplicate key `" + std::string{name.text} + "`",
           "it stands on line " + std::to_string(tree_.source_->place_of(before->offset).line) +
               " already: keep one of them");
  }
}

bool TreeBuilder::has_merge_key(Node const& mapping) const {
  for (Node const* key = mapping.first; key != nullptr; key = key->next->next) {
    Node const& name = resolved(*key);
    if (name.kind == NodeKind::scalar && name.style == ScalarStyle::plain && name.text == "<<") {
      return true;
    }
  }
  return false;
}

// "<<: *anchor" or "<<: [*a, *b]": the keys of those maps, where the map itself or an earlier one
// does not have them (yaml.org/type/merge).
bool TreeBuilder::merge(Node& mapping) {
  std::vector<Node*> kept;
  std::vector<Node const*> maps;
  for (Node* key = const_cast<Node*>(mapping.first); key != nullptr;) {
    Node* const value = const_cast<Node*>(key->next);
    Node* const following = const_cast<Node*>(value->next);
    Node const& name = resolved(*key);
    if (name.kind == NodeKind::scalar && name.style == ScalarStyle::plain && name.text == "<<") {
      Node const& merged = resolved(*value);
      bool good = merged.kind == NodeKind::mapping;
      if (good) maps.push_back(&merged);
      if (merged.kind == NodeKind::sequence) {
        good = true;
        for (Node const* entry = merged.first; entry != nullptr; entry = entry->next) {
          good = good && resolved(*entry).kind == NodeKind::mapping;
          maps.push_back(&resolved(*entry));
        }
      }
      if (!good) {
        return refuse(merged.offset, std::max<std::uint32_t>(1, merged.length),
                      "a merge key `<<` needs a map or a list of maps",
                      "write `<<: *anchor` where `&anchor` stands before a map");
      }
    } else {
      kept.push_back(key);
      kept.push_back(value);
    }
    key = following;
  }
  std::unordered_set<std::string_view> names;
  for (std::size_t i = 0; i < kept.size(); i += 2) names.insert(resolved(*kept[i]).text);
  for (Node const* map : maps) {
    for (Node const* key = map->first; key != nullptr; key = key->next->next) {
      if (!names.insert(resolved(*key).text).second) continue;
      from_aliases_ += key->size + key->next->size;
      if (from_aliases_ > max_alias_expansion) {
        return refuse(mapping.offset, 1, "aliases expand to too many values",
                      "at most " + std::to_string(max_alias_expansion) + ": write them out");
      }
      kept.push_back(new_alias(key));
      kept.push_back(new_alias(key->next));
    }
  }
  mapping.first = kept.empty() ? nullptr : kept.front();
  mapping.size = 1;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    kept[i]->next = i + 1 < kept.size() ? kept[i + 1] : nullptr;
    mapping.size += kept[i]->size;
  }
  mapping.count = static_cast<std::uint32_t>(kept.size() / 2);
  return true;
}

void TreeBuilder::remember_anchor(std::string_view anchor, Node* node) {
  if (!anchor.empty()) anchors_[std::string{anchor}] = node;
}

void TreeBuilder::report_syntax(yaml_parser_t const& parser) {
  std::string_view const problem = parser.problem == nullptr ? "not YAML"sv : parser.problem;
  std::string_view const context = parser.context == nullptr ? ""sv : parser.context;
  std::size_t offset = offset_of(parser.problem_mark);
  std::string_view const source = tree_.source_->text();
  // An unclosed quote is noticed at the end; where it begins is what helps.
  if (problem == "found unexpected end of stream" && context.find("quoted") != context.npos) {
    offset = offset_of(parser.context_mark);
  }
  // A key without a colon is noticed on the line behind it.
  if (problem == "could not find expected ':'") offset = offset_of(parser.context_mark);
  if (problem == "found character that cannot start any token") {
    char const found = offset < source.size() ? source[offset] : ' ';
    if (found == '\t') {
      refuse(offset, 1, "a tab where only spaces can be", "indent with spaces");
    } else {
      refuse(offset, 1, std::string{"a value cannot start with `"} + found + "`",
             "put the value in quotes");
    }
    return;
  }
  // `*` begins an alias in YAML, and every other configuration has a wildcard host name.
  if (problem.starts_with("did not find expected alphabetic") && offset > 0 &&
      offset <= source.size() && source[offset - 1] == '*') {
    refuse(offset - 1, 1, "a value cannot start with `*`",
           "put it in quotes: \"*.example.com\" or \"*\"");
    return;
  }
  // `[` begins a list in YAML, and IPv6 addresses with it.
  if (auto const address = bracketed_address(source, offset); !address.empty()) {
    auto const begin = static_cast<std::size_t>(address.data() - source.data());
    refuse(begin, address.size(), "an address that starts with `[` needs quotes",
           "write \"" + std::string{address} + "\"");
    return;
  }
  std::size_t const line_start = source.rfind('\n', offset == 0 ? 0 : offset - 1);
  std::size_t const first = line_start == source.npos ? 0 : line_start + 1;
  std::size_t const tab = source.find_first_not_of(' ', first);
  if (tab != source.npos && tab <= offset && source[tab] == '\t') {
    refuse(tab, 1, "a tab where only spaces can be", "indent with spaces");
    return;
  }
  for (SyntaxHint const& known : syntax_hints) {
    if (known.problem != problem) continue;
    refuse(offset, 1, std::string{known.message}, std::string{known.hint});
    return;
  }
  std::string message = "this is not YAML: " + std::string{problem};
  if (!context.empty()) message += " " + std::string{context};
  refuse(offset, 1, std::move(message), "check the indentation, the quotes and the brackets");
}

}  // namespace certgate::config
